"""The files of a day's scores, written while the scores come in: what is published, and a panel of all rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.artifacts.publication_files import id_key
from recsys.artifacts.publication_source import Query, parquet_query
from recsys.core.folders import read_manifest
from recsys.core.task import Task
from recsys.data.engine import connect

SCORES, PANEL = "scores.parquet", "panel.parquet"
GROUP_ROWS = 100_000
"""Rows that are written at once, and that can be read alone."""
PANEL_ROWS = 1_000_000
"""The panel has at most so many rows."""
RANGE = 2**64

_TYPES: Mapping[str, Any] = {
    "why": pa.list_(pa.string()),
    "why_share": pa.list_(pa.float64()),
    "reason": pa.string(),
    "purchase_days": pa.float32(),
    "days_since": pa.float32(),
    "mean_gap": pa.float32(),
}
TOLD = {"churn": ("why", "why_share"), "recommend": ("reason", "purchase_days", "days_since", "mean_gap")}
"""Task -> what its score table tells beside keys and scores."""


def score_schema(task: Task) -> pa.Schema:
    """Return the columns of a task's score table: keys, scores, and what is told beside."""
    texts, numbers = dict.fromkeys(task.keys, pa.string()), dict.fromkeys(task.scores, pa.float64())
    return pa.schema({**texts, **numbers, **{name: _TYPES[name] for name in TOLD.get(task.name, ())}})


class Cut(Protocol):
    """Decides which rows of a task are published; parts come in the order of member_id, each member whole."""

    def part(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are to be written now."""
        ...

    def rest(self) -> pd.DataFrame | None:
        """Return the rows that could only be chosen when all had been seen; None = there never are any."""
        ...

    def told(self) -> dict[str, Any]:
        """Say what was left out, for the manifest."""
        ...


class Whole:
    """Keeps every row."""

    def part(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows as they are."""
        return table

    def rest(self) -> pd.DataFrame | None:
        """Return none."""
        return None

    def told(self) -> dict[str, Any]:
        """Say nothing."""
        return {}


class Foremost:
    """Keeps the foremost rows of each member, as `choose` does."""

    def __init__(self, choose: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self.part = choose

    def rest(self) -> pd.DataFrame | None:
        """Return none."""
        return None

    def told(self) -> dict[str, Any]:
        """Say nothing."""
        return {}


class ScoreFiles:
    """Writes the scores of a task into a folder, in parts of whole members in the order of member_id.

    The panel has all rows of some members, chosen by a hash of their ids: of everybody as long as `PANEL_ROWS` suffice,
    else of a half, a quarter and so on, so that no member's part in it hangs on how the rows were cut into parts.
    """

    def __init__(self, folder: Path, task: Task, cut: Cut) -> None:
        self._schema = score_schema(task)
        self._plain = [*task.keys, *task.scores]
        self._cut = cut
        self._writer = pq.ParquetWriter(folder / SCORES, self._schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._panel = _Panel(folder / PANEL, pa.schema([self._schema.field(name) for name in self._plain]))
        self._rows = self._written = 0

    def add(self, table: pd.DataFrame) -> None:
        """Take the score table of some members."""
        self._rows += len(table)
        self._panel.add(table[self._plain])
        self._put(self._cut.part(table))

    def close(self) -> dict[str, Any]:
        """Write what is left and return what a manifest says: rows scored, rows kept, the panel's share of members."""
        rest = self._cut.rest()
        if rest is not None:
            self._put(rest)
        self._flush(least=0)
        self._writer.close()
        share = self._panel.close()
        return {"rows": self._rows, "kept": self._written, "panel_share": share, **self._cut.told()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def _put(self, table: pd.DataFrame) -> None:
        self._written += len(table)
        self._waiting.append(_arrow(table, self._schema))
        self._flush(least=GROUP_ROWS)

    def _flush(self, least: int) -> None:
        if sum(map(len, self._waiting)) >= max(least, 1):
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=GROUP_ROWS)
            self._waiting = []


class _Panel:
    """All rows of the members whose hash lies below a limit, which is halved when the rows become too many."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._limit = RANGE
        self._parts: list[tuple[pa.Table, np.ndarray]] = []

    def add(self, table: pd.DataFrame) -> None:
        codes, members = pd.factorize(table["member_id"])
        hashes = np.fromiter((id_key(f"panel {member}") for member in members), np.uint64, len(members))
        own = hashes[codes]
        inside = own <= np.uint64(self._limit - 1)
        if inside.any():
            self._parts.append((_arrow(table[inside], self._schema), own[inside]))
        while sum(len(part) for part, _ in self._parts) > PANEL_ROWS and self._limit > 1:
            self._limit //= 2
            last = np.uint64(self._limit - 1)
            self._parts = [(part.filter(pa.array(own <= last)), own[own <= last]) for part, own in self._parts]

    def close(self) -> float:
        table = pa.concat_tables([self._schema.empty_table(), *(part for part, _ in self._parts)])
        pq.write_table(table, self._path, compression="zstd")
        return self._limit / RANGE


def _arrow(table: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(table, schema, preserve_index=False)


def scores_of(folder: Path | None, task: Task) -> Query:
    """Query the scores kept in a folder, with the columns of `score_schema`; None = nothing was scored."""
    if folder is not None:
        return parquet_query(folder / SCORES)
    return Query(connect, "SELECT * FROM no_scores", beside={"no_scores": score_schema(task).empty_table()}, rows=0)


def launches_of(folder: Path | None) -> pd.DataFrame | None:
    """Return the launches of a folder of which only the likeliest members are kept: `product_id`, `scored`, `floor`."""
    if folder is None:
        return None
    told = read_manifest(folder, verify=False)["launches"]
    cut = [(name, one["scored"], one["floor"]) for name, one in told.items() if one["floor"] > 0]
    return pd.DataFrame(cut, columns=["product_id", "scored", "floor"]) if cut else None


def read_panel(folder: Path) -> pd.DataFrame:
    """Read all rows of the panel's members: keys and scores."""
    return pd.read_parquet(folder / PANEL)
