"""Scoring and publishing at growing numbers of members: time, memory, disk and how they grow.

    python -m tests.benchmarks.scale_publication --sizes 10000,100000,1000000 --folder DIR

Each step runs in a process of its own. The folder keeps what was made, to be used again; 1,000,000 members need about
20 GB in it. Scores of churn and repurchase are of copies of a simulated shop's members, recommendations of its own;
the publication is of a made crowd, `tests.benchmarks.crowd_files`. Previews are medians over the rules of
`tests.benchmarks.test_audiences`, warmed up.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from recsys.answers.audience.preview import preview_audience
from recsys.answers.audience.spec import parse_spec
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_seal import KNOWN
from recsys.artifacts.publication_write import write_publication
from tests.benchmarks.crowd_files import crowd_files
from tests.benchmarks.machine import machine
from tests.benchmarks.scale_scoring import MEMBERS, copy_members, make_models, recommend_members, score_members
from tests.benchmarks.scale_steps import Clock, Step, measured, table
from tests.benchmarks.test_audiences import RULES
from tests.serving_process import serve_command, serving

KEEP = 200
REPEATS = 7
GOALS = {
    "score churn and repurchase": "180 s",
    "recommend (10,000 members)": "36 s, a hundredth of an hour",
    "write the publication": "minutes, below 4 GB",
    "open it, never seen before": "",
    "open it again": "2 s",
    "service ready": "10 s",
    "preview": "0.3 s",
}


def make_crowd(root: Path, members: int) -> Mapping[str, float]:
    """Write the tables of a crowd, as scoring leaves them."""
    crowd_files(root / f"crowd-{members}", members)
    return {}


def publish(root: Path, members: int) -> Mapping[str, float]:
    """Write a crowd's publication."""
    content = crowd_files(root / f"crowd-{members}", members)
    clock = Clock()
    write_publication(_home(root, members) / "publications", content)
    return clock.spent()


def open_anew(root: Path, members: int) -> Mapping[str, float]:
    """Open a publication that nobody has found whole yet."""
    folder = Publication.open_current(_home(root, members) / "publications").folder
    (folder / KNOWN).unlink(missing_ok=True)
    clock = Clock()
    Publication.open(folder)
    return clock.spent()


def open_again(root: Path, members: int) -> Mapping[str, float]:
    """Open a publication that was opened before."""
    clock = Clock()
    Publication.open_current(_home(root, members) / "publications")
    return clock.spent()


def preview(root: Path, members: int) -> Mapping[str, float]:
    """Preview the rules, the slowest of which is told."""
    publication = Publication.open_current(_home(root, members) / "publications")
    slowest = {"seconds": 0.0, "cpu": 0.0}
    for rule in RULES.values():
        spec = parse_spec({"rule": rule})
        took = []
        for _ in range(REPEATS + 2):
            clock = Clock()
            preview_audience(publication, spec)
            took.append(clock.spent())
        medians = {name: statistics.median(one[name] for one in took[2:]) for name in slowest}
        slowest = max(slowest, medians, key=lambda one: one["seconds"])
    return slowest


def ready(root: Path, members: int) -> Step:
    """Start the service over a publication and wait until it says that it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with serving(serve_command(), _home(root, members), Path(folder)) as service:
            while httpx.get(f"{service.url}/readyz").status_code != 200:
                time.sleep(0.05)
            return Step(time.perf_counter() - began, 0.0)


def run(root: Path, sizes: Sequence[int]) -> dict[str, dict[int, Step]]:
    """Take all steps at all sizes."""
    root.mkdir(parents=True, exist_ok=True)
    steps: dict[str, dict[int, Step]] = {name: {} for name in GOALS}
    _say("models", 0, measured(make_models, root, MEMBERS))
    steps["recommend (10,000 members)"][MEMBERS] = _say("recommend", MEMBERS, measured(recommend_members, root, KEEP))
    for members in sizes:
        measured(copy_members, root, members)
        measured(make_crowd, root, members)
        found = {
            "score churn and repurchase": measured(score_members, root, members, ("churn", "repurchase")),
            "write the publication": measured(publish, root, members, leaves=_home(root, members) / "publications"),
            "open it, never seen before": measured(open_anew, root, members),
            "open it again": measured(open_again, root, members),
            "service ready": ready(root, members),
            "preview": measured(preview, root, members),
        }
        for name, step in found.items():
            steps[name][members] = _say(name, members, step)
    return steps


def main() -> None:
    """Print the table, and each step as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    sizes = [int(text) for text in given.sizes.split(",")]
    with tempfile.TemporaryDirectory() as own:
        lines = table(run(given.folder or Path(own), sizes), GOALS)
    sys.stdout.write("\n".join((machine(), "", *lines, "")))


def _home(root: Path, members: int) -> Path:
    return root / f"home-{members}"


def _say(name: str, members: int, step: Step) -> Step:
    told = "".join(f", {what} {value:.3g}" for what, value in step.told.items() if what not in ("seconds", "cpu"))
    figures = f"{step.seconds:.2f} s, {step.cpu:.2f} CPU s, {step.gigabytes:.2f} GB, {step.disk:.2f} GB"
    sys.stderr.write(f"{name}, {members:,}: {figures}{told}\n")
    return step


if __name__ == "__main__":
    main()
