"""The online store at scale: each figure beside the least that it could take in the same run.

    python -m tests.benchmarks.scale_online --members 1000000 --features 40

Times are medians of repeats, of the work and of its limit by turns.
"""

import argparse
import gc
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from recsys.store.online import Place, RowReader, row_reader, row_store
from recsys.store.packed_layout import PackedSchema
from tests.benchmarks.machine import machine
from tests.benchmarks.scale_online_feast import Door, feast_door
from tests.benchmarks.scale_online_fresh import fresh_row
from tests.redis_server import redis_server

TOLD = """
scan and fsynced write: reading the parquet file into Arrow, and writing as many bytes as the rows have, durably.
mapped rows by number: rows of a float64 array file, by the numbers of the rows; nobody knows these of a member's id.
mapped rows by id: the same, with the numbers looked up in a dict of all ids in memory; what a reader by id is held to.
not interrupted: runs in which the kernel gave the core to no other process.
"""
DAY = datetime(2025, 3, 1, tzinfo=UTC)
VIEW = "member"
SIZES = (1, 100, 500)
READS = 400
NULLS = 0.05


@dataclass(frozen=True)
class Line:
    """One row of the table. limit, ratio: None where there is none; goal: what the ratio or figure should not pass."""

    what: str
    found: str
    limit: str = ""
    ratio: float | None = None
    goal: str = ""

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return f"| {self.what} | {self.found} | {self.limit} | {ratio} | {self.goal} |"


@dataclass(frozen=True)
class Shop:
    """The rows to put online. file: parquet; matrix: the same numbers as an array file, rows in the file's order."""

    members: int
    features: int
    file: Path
    matrix: Path

    @property
    def names(self) -> list[str]:
        """Ids of the members, in the file's order."""
        return [f"m{number:08d}" for number in range(self.members)]

    def at(self, day: int) -> pa.Table:
        """Read the file with other event times, as another day's snapshot would have them."""
        table = pq.read_table(self.file)
        times = pa.array(
            np.full(self.members, np.datetime64(DAY.replace(tzinfo=None), "us") + np.timedelta64(day, "D"))
        )
        return table.set_column(table.column_names.index("at"), "at", times)


def make_shop(folder: Path, members: int, features: int) -> Shop:
    """Write members with numbers, some of them null, and times."""
    rng = np.random.default_rng(0)
    shop = Shop(members, features, folder / "members.parquet", folder / "matrix.bin")
    numbers = rng.random((members, features))
    numbers.tofile(shop.matrix)
    columns: dict[str, Any] = {"member_id": pa.array(shop.names)}
    for place in range(features):
        columns[f"f{place}"] = pa.array(numbers[:, place], mask=rng.random(members) < NULLS)
    for name in ("at", "made"):
        columns[name] = pa.array(np.full(members, np.datetime64(DAY.replace(tzinfo=None), "us")))
    pq.write_table(pa.table(columns), shop.file, row_group_size=131_072)
    return shop


def put(place: Place, table: pa.Table) -> None:
    """Write rows as materialisation does."""
    row_store(place).write(VIEW, table, keys=["member_id"], event="at", created="made")


def load_limit(shop: Shop, folder: Path) -> Callable[[], float]:
    """Scan the parquet file, then write as many bytes as the rows have in one go, and make them durable."""
    width = PackedSchema.of(pq.read_schema(shop.file), keys=["member_id"], skip=["at", "made"]).width
    block = os.urandom(width * 8192)

    def run() -> float:
        began = perf_counter()
        table = pq.read_table(shop.file)
        with (folder / "written").open("wb") as file:
            for start in range(0, table.num_rows, 8192):
                file.write(block[: width * min(8192, table.num_rows - start)])
            file.flush()
            os.fsync(file.fileno())
        took = perf_counter() - began
        (folder / "written").unlink()
        return took

    return run


def loads(shop: Shop, folder: Path, repeats: int) -> list[Line]:
    """Materialise into a folder, twice over."""
    limit = load_limit(shop, folder)
    firsts, seconds, limits = [], [], []
    for repeat in range(repeats):
        limits.append(limit())
        place = folder / f"load{repeat}"
        began = perf_counter()
        put(place, pq.read_table(shop.file))
        firsts.append(perf_counter() - began)
        once = size_of(place)
        table = shop.at(1)
        began = perf_counter()
        put(place, table)
        seconds.append(perf_counter() - began)
        twice = size_of(place)
        shutil.rmtree(place)
        gc.collect()
    least, first, second = median(limits), median(firsts), median(seconds)
    told = f"{least:.2f} s scan and fsynced write"
    return [
        Line(f"materialise {shop.members:,} x {shop.features}", f"{first:.2f} s", told, first / least, "2.5"),
        Line("again, a day later (without the scan)", f"{second:.2f} s", told, second / least, ""),
        Line("bytes a row on disk, after one load", f"{once / shop.members:.0f}"),
        Line("bytes a row on disk, after the second", f"{twice / shop.members:.0f}", "", twice / once, ""),
    ]


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


@dataclass(frozen=True)
class Times:
    """Milliseconds of each run, and those alone in which the kernel gave the core to nobody else."""

    every: list[float]
    alone: list[float]

    def add(self, work: Callable[[], object]) -> None:
        """Run once more."""
        before = getrusage(RUSAGE_THREAD).ru_nivcsw
        took = timed(work)
        self.every.append(took)
        if getrusage(RUSAGE_THREAD).ru_nivcsw == before:
            self.alone.append(took)

    def at(self, share: float) -> float:
        """Return a quantile of all."""
        return float(np.quantile(self.every, share))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of one run."""
    began = perf_counter()
    work()
    return (perf_counter() - began) * 1000


def reads(shop: Shop, store: str, reader: RowReader, limits: "Limits", door: Door) -> list[Line]:
    """Read random members as NumPy and through Feast, by turns with the limits."""
    rng = np.random.default_rng(1)
    names = shop.names
    lines = []
    for size in SIZES:
        read, feast, least = Times([], []), Times([], []), {name: Times([], []) for name in limits}
        for turn in range(READS):
            rows = rng.choice(shop.members, size, replace=False)
            keys = [names[row] for row in rows]
            read.add(partial(reader.read, VIEW, keys, not_before=DAY))
            for name, limit in limits.items():
                least[name].add(partial(limit, rows, keys))
            if turn % 4 == 0:
                feast.add(partial(door, keys))
        goal = size == max(SIZES) and store == "folder"
        for name, times in least.items():
            told = Line(f"{store}: read {size} as NumPy", f"{read.at(0.5):.3f} ms", f"{times.at(0.5):.3f} ms {name}")
            lines.append(replace(told, ratio=read.at(0.5) / times.at(0.5), goal="1.5" if goal else ""))
        lines += spread(f"{store}: read {size}", read)
        allowed = 1.5 * times.at(0.5)
        answer = Line(f"{store}: Feast's response for {size}", f"{feast.at(0.5):.2f} ms")
        lines += [
            replace(answer, limit=f"{read.at(0.5):.3f} ms read", ratio=feast.at(0.5) / read.at(0.5)),
            replace(answer, limit=f"{allowed:.3f} ms, 1.5 x {name}", ratio=feast.at(0.5) / allowed, goal="6"),
        ]
    return lines


def spread(what: str, times: Times) -> list[Line]:
    """p99 beside p50, of all runs and of those that nobody interrupted."""
    alone = float(np.quantile(times.alone, 0.99))
    found = {f"{what}, p99": times.at(0.99), f"{what}, p99 where not interrupted": alone}
    half = times.at(0.5)
    return [Line(name, f"{p99:.3f} ms", f"{half:.3f} ms p50", p99 / half, "3") for name, p99 in found.items()]


Limits = dict[str, Callable[[np.ndarray, list[str]], object]]


def folder_limits(shop: Shop) -> Limits:
    """What a reader of rows cannot avoid: rows of a mapped array by number; and by id, through a dict in memory."""
    matrix = np.memmap(shop.matrix, np.float64, "r", shape=(shop.members, shop.features))
    places = {name: place for place, name in enumerate(shop.names)}
    return {
        "mapped rows by number": lambda rows, _: matrix[rows],
        "mapped rows by id, ids in a dict": lambda _, keys: matrix[[places[key] for key in keys]],
    }


def redis_lines(shop: Shop, folder: Path, stack: ExitStack, repeats: int) -> list[Line]:
    """The same in a Redis."""
    server = stack.enter_context(redis_server())
    client: Any = stack.enter_context(Redis.from_url(server.url, protocol=2, socket_timeout=120))
    limit = load_limit(shop, folder)
    empty = client.info("memory")["used_memory"]
    firsts, limits = [], []
    for _ in range(repeats):
        client.flushall()
        limits.append(limit())
        began = perf_counter()
        put(server.url, pq.read_table(shop.file))
        firsts.append(perf_counter() - began)
        gc.collect()
    held = client.info("memory")["used_memory"] - empty
    table = shop.at(1)
    second = timed(lambda: put(server.url, table)) / 1000
    first, least = median(firsts), median(limits)
    told = f"{least:.2f} s scan and fsynced write"
    lines = [
        Line(f"Redis: materialise {shop.members:,} x {shop.features}", f"{first:.2f} s", told, first / least),
        Line("Redis: again, a day later (without the scan)", f"{second:.2f} s", told, second / least),
        Line("Redis: bytes a row, in memory", f"{held / shop.members:.0f}"),
    ]
    named: Limits = {
        "MGET alone": lambda _, keys: client.mget([b"recsys:rows:member\0" + key.encode() for key in keys])
    }
    online = {"type": "features.packed_redis.PackedRedisOnlineStore", "url": server.url}
    door = feast_door(folder / "feast redis", shop.file, online)
    return lines + reads(shop, "Redis", row_reader(server.url, seconds=5), named, door)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    told = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # Feast's own
    folder = Path(tempfile.mkdtemp(prefix="scale-online-", dir=told.scratch))
    say(f"{machine()}\n\n| what | measured | limit, same run | ratio | goal |\n|---|---:|---:|---:|---:|")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        shop = make_shop(folder, told.members, told.features)
        show(loads(shop, folder, told.repeats))
        online = {"type": "features.packed_store.PackedOnlineStore", "path": str(folder / "online")}
        door = feast_door(folder / "feast", shop.file, online)
        began = perf_counter()
        door.materialize(DAY, DAY)
        show([Line("the same by Feast's own command, of one day", f"{perf_counter() - began:.2f} s")])
        show(reads(shop, "folder", row_reader(folder / "online", seconds=5), folder_limits(shop), door))
        show([Line(*line) for line in fresh_row(folder / "fresh", shop.at(0).slice(0, 20_000))])
        show(redis_lines(shop, folder, stack, told.repeats))
    say(TOLD)


def show(lines: Sequence[Line]) -> None:
    """Print rows of the table as they come."""
    for line in lines:
        say(str(line))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
