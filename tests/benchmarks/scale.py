"""The whole way of a shop at several sizes: `python -m tests.benchmarks.scale --members 10000 100000` prints a table.

Each step is a command of its own, run as a user runs it, on a simulated grocer. Beside its time, processor time, most
memory and growth of the disk stands the exponent by which its processor time grew since the size before: 1 = linear.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.machine import machine

RECSYS = (str(Path(sys.executable).with_name("recsys")),)
ROOT = Path(__file__).parents[2]
LIMIT = """
import sys, duckdb
duckdb.connect().execute("SET threads = 2").sql(f'''
    SELECT count(*), sum(paid) FROM (
        SELECT member_id, category, CAST(ordered_at AS DATE) AS day, sum(amount) AS paid, count(*) AS lines
        FROM read_parquet('{sys.argv[1]}/orders-*.parquet')
        LEFT JOIN read_parquet('{sys.argv[1]}/products*.parquet') USING (product_id)
        GROUP BY ALL)
''').fetchall()
"""
SETTINGS = """
[training]
trains = 1
tests = 1
min_history = 56
kept_members = {kept}
keep = 200

[tasks.repurchase]
horizon = 28
model = {{ knots = [7, 14, 28] }}

[tasks.value]
horizon = 28
"""


@dataclass(frozen=True)
class Step:
    """One command, and what people call it."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Took:
    """What a step took: seconds on the wall and of all processors, bytes of memory at most, and of disk in the end."""

    wall: float
    processor: float
    memory: int
    disk: int


def steps(members: int, days: int, seed: int, shop: Path) -> Iterator[Step]:
    """Yield the steps in their order."""
    made = ("--profile", "grocery", "--members", str(members), "--days", str(days), "--seed", str(seed))
    if not (shop / "recsys.toml").is_file():
        yield Step("simulate", (*RECSYS, "simulate", *made, "--out", str(shop)))
    yield Step("limit: DuckDB groups the lines", (sys.executable, "-c", LIMIT, str(shop)))
    yield Step("ingest", (*RECSYS, "ingest"))
    yield Step("features of the last day", (*RECSYS, "features", "--as-of", _end(shop, days)))
    yield Step("features of the days that teach", (*RECSYS, "features"))
    for task in ("churn", "repurchase", "value", "new_product", "recommend", "recommend_subcategory"):
        yield Step(f"train {task}", (*RECSYS, "train", task, "--promote"))
    yield Step("score and publish", (*RECSYS, "publish"))
    yield Step("online store", (*RECSYS, "materialize"))


def _end(shop: Path, days: int) -> str:
    """Return the day after the data, as the simulator's settings tell it."""
    for line in (shop / "recsys.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("latest"):
            return line.split("=")[1].strip()[:10]
    raise ValueError(f"{shop} was not made by `recsys simulate` for {days} days")


def run(step: Step, home: Path, shop: Path) -> Took:
    """Run a step in the shop's folder; `CalledProcessError` with its output when it fails."""
    environment = {**os.environ, "RECSYS_HOME": str(home), "PYTHONPATH": str(ROOT)}
    began, before = time.perf_counter(), _size(home)
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(step.command, cwd=shop.parent, env=environment, stdout=told, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise subprocess.CalledProcessError(process.returncode, step.command, output=told.read()[-4000:])
    wall = time.perf_counter() - began
    return Took(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, _size(home) - before)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def exponent(took: Took, members: int, before: Mapping[int, Took]) -> str:
    """Return how a step grew since the largest smaller size, "" when there is none."""
    smaller = max((size for size in before if size < members), default=None)
    if smaller is None:
        return ""
    return f"{math.log(took.processor / before[smaller].processor) / math.log(members / smaller):.2f}"


def main() -> None:
    """Go through the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kept", type=int, default=10_000, help="members whose candidates teach the rankers")
    parser.add_argument("--folder", type=Path, help="where shops are kept from one run to the next")
    parser.add_argument("--until", default="", help="the last step, by the beginning of its name")
    asked = parser.parse_args()
    _say(f"{machine()}; a simulated grocer of {asked.days} days; candidates of {asked.kept:,} members are kept\n")
    _say("| step | members | seconds | processor s | memory MB | disk MB | exponent |")
    _say("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    known: dict[str, dict[int, Took]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for members in asked.members:
            root = (asked.folder or Path(scratch)) / str(members)
            home = Path(scratch) / f"home-{members}"
            home.mkdir()
            root.mkdir(parents=True, exist_ok=True)
            shop = root / "shop"
            for step in steps(members, asked.days, asked.seed, shop):
                _settle(shop, asked.kept)
                took = run(step, home, shop)
                past = known.setdefault(step.name, {})
                cells = (took.wall, took.processor, took.memory / 1e6, took.disk / 1e6)
                told = " | ".join(f"{cell:,.1f}" if cell < 1000 else f"{cell:,.0f}" for cell in cells)
                _say(f"| {step.name} | {members:,} | {told} | {exponent(took, members, past)} |")
                past[members] = took
                if asked.until and step.name.startswith(asked.until):
                    break
            shutil.rmtree(home)


def _settle(shop: Path, kept: int) -> None:
    """Put the settings of the tables and those of training into the folder that commands run in."""
    made = shop / "recsys.toml"
    if made.is_file():
        own = made.read_text(encoding="utf-8").replace('folder = "."', f'folder = "{shop.name}"')
        (shop.parent / "recsys.toml").write_text(own + SETTINGS.format(kept=kept), encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
