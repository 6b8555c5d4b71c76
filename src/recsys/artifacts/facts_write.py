"""Writes what members did of late as columns by day, which `recsys.artifacts.facts` reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.artifacts.publication_arrays import growing, save, starts
from recsys.artifacts.publication_content import FACT_DAYS
from recsys.artifacts.publication_places import Finite, Places, floats

FACTS_AT_ONCE = 25_000_000
"""About so many facts are sorted at once, those of some days; each time all are read, as they come by member."""


@dataclass(frozen=True)
class _Layout:
    """How facts of a kind are written: in the order of day, member and the columns.

    codes: column -> (the content's column, kind of its ids); -1 = none. known: of these none is dropped.
    numbers: columns as they are, by their type.
    """

    frame: str
    codes: Mapping[str, tuple[str, str]]
    numbers: Mapping[str, Any]
    order: tuple[str, ...]
    known: tuple[str, ...] = ()
    small: tuple[str, ...] = ()

    @property
    def dtypes(self) -> dict[str, Any]:
        codes = {name: np.int8 if name in self.small else np.int32 for name in self.codes}
        return {"member": np.int32, **{name: {**codes, **self.numbers}[name] for name in self.order}}

    @property
    def sql(self) -> str:
        places = "".join(f", coalesce(p_{name}.row, -1) AS {name}" for name in self.codes)
        joins = "".join(
            f" LEFT JOIN place_{kind} AS p_{name} ON p_{name}.id = CAST(rows.{column} AS VARCHAR)"
            for name, (column, kind) in self.codes.items()
        )
        numbers = "".join(f", CAST(rows.{name} AS DOUBLE) AS {name}" for name in self.numbers)
        return (
            f"SELECT CAST(rows.day AS DOUBLE) AS day, coalesce(m.row, -1) AS member{places}{numbers} FROM rows "
            f"LEFT JOIN place_member AS m ON m.id = CAST(rows.member_id AS VARCHAR){joins} "
            f"WHERE rows.day >= $low AND rows.day < $high ORDER BY day, member, {', '.join(self.order)}"
        )


HOUR = {"hour": np.int8}
PURCHASES = _Layout(
    "purchases",
    {"product": ("product_id", "product")},
    {**HOUR, "quantity": np.float32, "amount": np.float32},
    ("product", "hour", "quantity", "amount"),
    known=("product",),
)
EVENTS = _Layout(
    "events",
    {"type": ("type", "event_type"), "product": ("product_id", "product")},
    HOUR,
    ("type", "product", "hour"),
    small=("type",),
)
CONTACTS = _Layout(
    "contacts",
    {
        "campaign": ("campaign_id", "campaign"),
        "channel": ("channel", "channel"),
        "format": ("content_format", "format"),
    },
    {},
    ("campaign", "channel", "format"),
)
NAMES = {
    "event_types": ("events", "type", "event_type"),
    "campaigns": ("contacts", "campaign_id", "campaign"),
    "channels": ("contacts", "channel", "channel"),
    "formats": ("contacts", "content_format", "format"),
}


def write_facts(folder: Path, places: Places) -> dict[str, list[str]]:
    """Write the facts of a content; return the names that codes stand for.

    Left out, and counted as dropped, is what names an unknown member, a purchase of an unknown product, and what lies
    outside the days kept. An event's product that is unknown is none.
    """
    names = {}
    for told, (frame, column, kind) in NAMES.items():
        found = _names(places, frame, column)
        names[told] = found
        places = places.also(kind, np.array(found, dtype=object))
    for layout in (PURCHASES, EVENTS, CONTACTS):
        _write(folder, places, layout)
    return names


def _names(places: Places, frame: str, column: str) -> list[str]:
    """Return the distinct texts of a column in the facts that are kept, ascending."""
    low, high = _days(places)
    sql = (
        f"SELECT DISTINCT CAST(rows.{column} AS VARCHAR) AS text FROM rows "
        "SEMI JOIN place_member AS m ON m.id = CAST(rows.member_id AS VARCHAR) "
        f"WHERE rows.{column} IS NOT NULL AND rows.day >= $low AND rows.day < $high"
    )
    parts = places.read(frame, sql, low=low, high=high)
    return sorted(str(text) for batch in parts for text in batch.column(0).to_pylist())


def _days(places: Places) -> tuple[int, int]:
    """Return the first day kept and the one after the last."""
    day = places.content.as_of.number
    return day - FACT_DAYS, day


def _write(folder: Path, places: Places, layout: _Layout) -> None:
    first, _ = _days(places)
    counts, read = np.zeros(FACT_DAYS, dtype=np.int64), 0
    files = {f"{layout.frame}_{name}": kind for name, kind in layout.dtypes.items()}
    finite = Finite(places, layout.frame)
    with growing(folder, files) as arrays:
        for batch in _by_day(places, layout):
            read += batch.num_rows
            numbers = {name: floats(batch, name) for name in ("day", *layout.numbers)}
            if not finite.look(numbers):
                continue
            columns = {name: batch.column(name).to_numpy() for name in ("member", *layout.codes)}
            known = columns["member"] >= 0
            for name in layout.known:
                known &= columns[name] >= 0
            counts += np.bincount(numbers.pop("day")[known].astype(np.int64) - first, minlength=FACT_DAYS)
            for name, values in (columns | numbers).items():
                arrays[f"{layout.frame}_{name}"].append(values[known])
    read += _outside(places, layout, finite)
    finite.hold()
    save(folder, f"{layout.frame}_start", starts(counts))
    places.dropped[layout.frame] = read - int(counts.sum())


def _by_day(places: Places, layout: _Layout) -> Iterator[pa.RecordBatch]:
    """Yield the facts of the days kept in their order, some days after the other, so that few are sorted at once."""
    low, high = _days(places)
    rows = places.sources.rows(layout.frame)
    edges = np.unique(np.linspace(low, high, 2 + rows // FACTS_AT_ONCE).astype(np.int64)).tolist()
    for start, end in pairwise(edges):
        yield from places.read(layout.frame, layout.sql, low=start, high=end)


def _outside(places: Places, layout: _Layout, finite: Finite) -> int:
    """Return how many facts lie outside the days kept, and look at their numbers too."""
    low, high = _days(places)
    numbers = "".join(f", CAST({name} AS DOUBLE) AS {name}" for name in layout.numbers)
    away = "day < $low OR day >= $high OR day IS NULL OR isnan(CAST(day AS DOUBLE))"
    rows = 0
    for batch in places.read(
        layout.frame, f"SELECT CAST(day AS DOUBLE) AS day{numbers} FROM rows WHERE {away}", low=low, high=high
    ):
        finite.look({name: floats(batch, name) for name in ("day", *layout.numbers)})
        rows += batch.num_rows
    return rows
