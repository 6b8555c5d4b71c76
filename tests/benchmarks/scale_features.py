"""What a day's features take as members grow: seconds, processor seconds, memory and how fast each part grows.

`python -m tests.benchmarks.scale_features FOLDER ... [--kept N]`. Each FOLDER is a home with ingested tables, or a
simulated shop, whose tables are ingested first. The limit is DuckDB alone scanning, joining and grouping the same
orders by member, category and day; it is measured before the features in the same process.
"""

import argparse
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.core.config import Home
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot, write_views
from recsys.features.candidates import CandidateConfig
from tests.benchmarks.test_features import LIMIT
from training.measure import peak_megabytes, reset_peak
from training.settings import Project

THE_LIMIT = "limit: scan, join, group by member, category, day"
ALL = "all"


@dataclass
class Step:
    """What a step took: wall and processor seconds, and the process' peak memory in MB meanwhile."""

    name: str
    seconds: float
    processor: float
    megabytes: float


@dataclass
class Watch:
    """Measures steps that follow each other."""

    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mark("")

    def begin(self, name: str) -> None:
        """End the step that runs and begin another one; "" = none."""
        if self._name:
            taken = (time.perf_counter() - self._began, _processor() - self._used)
            self.steps.append(Step(self._name, *taken, peak_megabytes()))
        self._mark(name)

    def _mark(self, name: str) -> None:
        reset_peak()
        self._name, self._began, self._used = name, time.perf_counter(), _processor()


def measure(tables: Tables, kept: int) -> tuple[list[Step], dict[str, int]]:
    """Compute the features of the day after the data beside the limit; returns what each step took, and counts."""
    watch = Watch()
    with tables.at(tables.end).connect() as connection:
        lines = connection.execute("SELECT count(*) FROM orders").fetchall()[0][0]
        watch.begin(THE_LIMIT)
        connection.execute(f"CREATE TEMP TABLE grouped AS {LIMIT}")
        watch.begin("")
    with TemporaryDirectory(dir=tables.folder.parent.parent) as root:
        write = partial(write_views, begin=watch.begin)
        watch.begin("start")
        folder = build_snapshot(tables.at(tables.end), Path(root), candidates=CandidateConfig(kept=kept), write=write)
        watch.begin("")
        size = sum(file.stat().st_size for file in folder.folder.iterdir())
    shown = {"members": folder.manifest["rows"]["member"], "order lines": lines, "snapshot MB": size // 1_000_000}
    return watch.steps, shown


def show(results: list[tuple[dict[str, int], list[Step]]], kept: int) -> Iterator[str]:
    """Lay out the measures as a table, the parts' growth with the order lines last."""
    for shown, steps in results:
        yield ", ".join(f"{name} {value:,}" for name, value in shown.items())
        limit = steps[0].seconds
        yield "| step | s | processor s | peak MB | x limit |"
        yield "|---|---:|---:|---:|---:|"
        for step in (*steps, _whole(steps)):
            yield (
                f"| {_named(step.name, kept)} | {step.seconds:.1f} | {step.processor:.1f} | {step.megabytes:.0f} "
                f"| {step.seconds / limit:.1f} |"
            )
        yield ""
    for (before, earlier), (after, later) in pairwise(results):
        factor = math.log(after["order lines"] / before["order lines"])
        yield f"exponents from {before['order lines']:,} to {after['order lines']:,} order lines, by processor time"
        for one, other in zip(earlier, later, strict=True):
            grown = math.log(max(other.processor, 0.01) / max(one.processor, 0.01))
            yield f"| {_named(one.name, kept)} | {grown / factor:.2f} |"
        yield ""


def _named(step: str, kept: int) -> str:
    return f"pairs of {kept:,} members" if step == "pairs" else step


def _whole(steps: list[Step]) -> Step:
    own = [step for step in steps if step.name != THE_LIMIT]
    return Step(
        ALL,
        sum(step.seconds for step in own),
        sum(step.processor for step in own),
        max(step.megabytes for step in own),
    )


@contextmanager
def opened(folder: Path) -> Iterator[Tables]:
    """Open a home's tables, or ingest those of a simulated shop into a home that is removed afterwards."""
    if (folder / "recsys.toml").is_file():
        with TemporaryDirectory(dir=folder.parent) as root:
            config = IngestConfig.load(folder / "recsys.toml", others=Project.model_fields)
            ingest(config, Home(Path(root)), lambda step, done, total: None)
            yield Tables.open(Home(Path(root)).tables)
    else:
        yield Tables.open(Home(folder).tables)


def _processor() -> float:
    used = os.times()
    return used.user + used.system


def main() -> None:
    """Measure each folder and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--kept", type=int, default=10_000, help="members whose pairs are computed")
    given = parser.parse_args()
    results = []
    for folder in given.folders:
        with opened(folder) as tables:
            steps, shown = measure(tables, given.kept)
            results.append((shown, steps))
    print("\n".join(show(results, given.kept)))  # noqa: T201


if __name__ == "__main__":
    main()
