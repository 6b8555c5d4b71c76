"""How long until another process sees a row that was written here."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import pyarrow as pa

from recsys.store.packed import PackedReader, PackedStore

ROWS = 200
VIEW = "member"


def fresh_row(folder: Path, table: pa.Table) -> list[tuple[str, str, str, float, str]]:
    """Write single rows among those of a table, durable at once and not; (what, p50, p99, p50 in ms, goal)."""
    lines = []
    for name, sync in (("fsynced", True), ("without fsync", False)):
        place = folder / name
        store = PackedStore(place, sync=sync)
        store.write(VIEW, table, keys=["member_id"], event="at", created="made")
        seen = _seen(place, store, table.slice(0, 1))
        p50, p99 = (float(np.quantile(seen, share)) for share in (0.5, 0.99))
        lines.append(
            (f"a fresh row seen by another process, {name}", f"{p50:.3f} ms", f"p99 {p99:.3f} ms", p50, "1 ms")
        )
    return lines


def _seen(place: Path, store: PackedStore, row: pa.Table) -> Sequence[float]:
    """Milliseconds from the call that writes to another process's having read the row."""
    member = str(row["member_id"][0])
    times = []
    command = [sys.executable, "-m", "tests.benchmarks.scale_online_fresh", str(place), member]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        at: datetime = row["at"][0].as_py()
        for number in range(1, ROWS + 1):
            time = pa.array([at + timedelta(minutes=number)], row.schema.field("at").type)
            newer = row.set_column(row.column_names.index("at"), "at", time)
            began = perf_counter_ns()
            store.write(VIEW, newer, keys=["member_id"], event="at", created="made")
            times.append((int(other.stdout.readline()) - began) / 1e6)
    return times


def watch(place: Path, member: str) -> None:
    """Read a member over and over; print when each newer row was seen, until all were."""
    reader = PackedReader(place)
    last = reader.read(VIEW, [member]).event_time[0]
    tell("ready")
    for _ in range(ROWS):
        while (now := reader.read(VIEW, [member]).event_time[0]) == last:
            pass
        tell(str(perf_counter_ns()))
        last = now


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    watch(Path(sys.argv[1]), sys.argv[2])
