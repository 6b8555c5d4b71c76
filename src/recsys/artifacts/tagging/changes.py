"""The values by which two publications differ, column by column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.columns import SegmentColumn, TagColumn
from recsys.artifacts.tagging.spec import Kind

COARSE = ("share", "ratio")
"""Units of which hundredths are kept: what all members do moves them a little every day."""
LEFT_OUT = ("lateness",)
"""Tags of which no history is kept."""

_TYPES: dict[str, pa.DataType] = {
    "row": pa.int32(),
    "name": pa.string(),
    "number": pa.float32(),
    "day": pa.int32(),
    "flag": pa.bool_(),
    "text": pa.string(),
}
SCHEMA = pa.schema(_TYPES)
"""One row a member, by its row in the later publication, and changed value, which stands in the column of its kind; all
null = unknown now."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """One tag or segment of all members as numbers that can be compared. values: (members,) NaN = unknown.

    column: which of `SCHEMA` holds them. labels: what texts' numbers stand for.
    """

    column: str
    values: "np.ndarray"
    labels: tuple[str, ...] = ()


def changes(after: Publication, before: Publication | None) -> Iterator[pa.Table]:
    """Yield tables of `SCHEMA`, one a tag or segment that changed, ordered by row.

    Without a publication before it, what is known is what changed. Tags that repeat a segmentation are left out, and
    the lateness, which moves with every day and follows from what is kept.
    """
    new, keys = _cells(after), after.members.keys
    if before is None:
        for name, cells in new.items():
            yield _table(np.flatnonzero(~np.isnan(cells.values)), name, cells)
        return
    old, earlier = _cells(before), before.members.keys
    at = np.searchsorted(earlier, keys).clip(max=max(len(earlier) - 1, 0))
    there = earlier[at] == keys if len(earlier) else np.zeros(len(keys), dtype=np.bool_)
    for name in dict.fromkeys((*new, *old)):
        cells = new.get(name) or _Cells(old[name].column, np.full(len(keys), np.nan))
        values, past = cells.values, np.full(len(keys), np.nan)
        if name in old and old[name].column == cells.column:
            past[there] = _relabelled(old[name], cells.labels)[at[there]]
        yield _table(np.flatnonzero((values != past) & ~(np.isnan(values) & np.isnan(past))), name, cells)


def _cells(publication: Publication) -> dict[str, _Cells]:
    today = publication.as_of.number
    tags = publication.traits.tags.items()
    kept = (pair for pair in tags if pair[1].spec.segment is None and pair[0] not in LEFT_OUT)
    cells = {name: _of_tag(column, today) for name, column in kept}
    return cells | {name: _of_segment(column) for name, column in publication.traits.segments.items()}


def _of_tag(column: TagColumn, today: int) -> _Cells:
    if column.spec.kind is Kind.TEXT:
        return _Cells("text", _numbers(column.values), column.labels)
    if column.spec.kind is Kind.FLAG:
        return _Cells("flag", column.values.astype(np.float64))
    if column.spec.counts_from:
        return _Cells("day", today - column.values)
    exact = np.round(column.values, 2) if column.spec.unit in COARSE else column.values
    return _Cells("number", exact.astype(np.float32).astype(np.float64))


def _of_segment(column: SegmentColumn) -> _Cells:
    return _Cells("text", _numbers(column.values), column.spec.codes)


def _numbers(codes: "np.ndarray") -> "np.ndarray":
    return np.where(codes < 0, np.nan, codes.astype(np.float64))


def _relabelled(cells: _Cells, labels: tuple[str, ...]) -> "np.ndarray":
    """(members,) values in terms of other labels; a text that is none of them becomes a number that none has."""
    if cells.column != "text":
        return cells.values
    places = {label: place for place, label in enumerate(labels)}
    renamed = np.array([*(places.get(label, -1) for label in cells.labels), np.nan])
    return renamed[np.where(np.isnan(cells.values), len(cells.labels), cells.values).astype(np.int64)]


def _table(rows: "np.ndarray", name: str, cells: _Cells) -> pa.Table:
    values = cells.values[rows]
    unknown = np.isnan(values)
    whole = np.where(unknown, 0, values)
    told: Any
    if cells.column == "text":
        labels = np.array([*cells.labels, None], dtype=object)
        told = pa.array(labels[np.where(unknown, len(cells.labels), whole).astype(np.int64)], pa.string())
    else:
        told = pa.array(whole, mask=unknown).cast(SCHEMA.field(cells.column).type, safe=False)
    columns = {field.name: told if field.name == cells.column else pa.nulls(len(rows), field.type) for field in SCHEMA}
    return pa.table(columns | {"row": pa.array(rows, pa.int32()), "name": pa.repeat(name, len(rows))}, schema=SCHEMA)
