"""Writes frames of pairs as ragged columns: ordered by member, best first, cut, and one file a column."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.artifacts.publication_arrays import growing, save, starts
from recsys.artifacts.publication_content import CHALLENGER, FINITE, Content, Reason
from recsys.artifacts.publication_files import RECOMMEND_EVIDENCE, REPURCHASE_NUMBERS
from recsys.artifacts.publication_places import Finite, Places, floats

BEST_FIRST = "score DESC, other"
REASONS = np.array([str(reason) for reason in Reason], dtype=object)


@dataclass(frozen=True)
class Layout:
    """How a frame of pairs is written.

    frame: of the content, and what its files are called. key: its column of the second id; kind: of that id.
    order: SQL of the order within a member; `other` is the row of the second id.
    numbers: columns written as they are, in 32 bits. codes: file -> (column of ids, their kind, type of its places), in
    which -1 stands for none; known: files where none is refused.
    keep: so many of a member's pairs; None = all.
    """

    frame: str
    key: str
    kind: str
    order: str
    numbers: tuple[str, ...]
    codes: Mapping[str, tuple[str, str, Any]] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    keep: int | None = None

    @property
    def dtypes(self) -> dict[str, Any]:
        """Files and what they hold."""
        codes = {file: kind for file, (_, _, kind) in self.codes.items()}
        return {self.kind: np.int32, **dict.fromkeys(self.numbers, np.float32), **codes}

    @property
    def sql(self) -> str:
        """The SELECT of the pairs in their order."""
        places = "".join(f", coalesce(p_{file}.row, -1) AS {file}" for file in self.codes)
        joins = "".join(
            f" LEFT JOIN place_{kind} AS p_{file} ON p_{file}.id = CAST(rows.{column} AS VARCHAR)"
            for file, (column, kind, _) in self.codes.items()
        )
        exact = {*FINITE.get(self.frame, ()), *re.findall(r"\w+", self.order)}
        numbers = "".join(
            f", CAST(rows.{name} AS {'DOUBLE' if name in exact else 'FLOAT'}) AS {name}" for name in self.numbers
        )
        return (
            f"SELECT coalesce(m.row, -1) AS member, coalesce(o.row, -1) AS other{numbers}{places} FROM rows "
            "LEFT JOIN place_member AS m ON m.id = CAST(rows.member_id AS VARCHAR) "
            f"LEFT JOIN place_{self.kind} AS o ON o.id = CAST(rows.{self.key} AS VARCHAR){joins} "
            f"ORDER BY member, {self.order}"
        )


def layouts(content: Content, keep: int, keep_discoveries: int) -> tuple[Layout, ...]:
    """Return how each frame of pairs is written."""
    reason = {"reason": ("reason", "reason", np.int8)}
    ended = f"coalesce(need_ends_day <= {content.as_of.number}, false), {BEST_FIRST}"
    following = {"next": ("next_category", "category", np.int32)}
    product = ("product_id", "product")
    models = (("recommend", "discovery"), *([] if content.challenger is None else [CHALLENGER]))
    own = (
        (
            Layout(recommend, *product, BEST_FIRST, ("score", *RECOMMEND_EVIDENCE), reason, ("reason",), keep),
            Layout(discovery, *product, BEST_FIRST, ("score",), reason, ("reason",), keep_discoveries),
        )
        for recommend, discovery in models
    )
    return (
        *chain.from_iterable(own),
        Layout("bought", *product, "days_since, other", ("days_since",)),
        Layout("new_product", *product, BEST_FIRST, ("score",)),
        Layout("repurchase", "category", "category", ended, REPURCHASE_NUMBERS, following),
    )


def write_pairs(folder: Path, places: Places, layout: Layout) -> None:
    """Write a frame of pairs; rows without a known member or second id are counted as dropped.

    `ArtifactError` when a value is not finite where all must be, or a code is unknown where all must be known.
    """
    pairs = _Pairs(layout, places)
    files = {f"{layout.frame}_{file}": dtype for file, dtype in layout.dtypes.items()}
    with growing(folder, files) as arrays:
        for batch in places.read(layout.frame, layout.sql):
            for name, values in pairs.kept(batch).items():
                arrays[f"{layout.frame}_{name}"].append(values)
    pairs.finite.hold()
    for file in pairs.unknown:
        raise places.refuse(f"{layout.frame}.{file} has {_strange(places, layout, file)}")
    save(folder, f"{layout.frame}_start", starts(pairs.counts))
    places.dropped[layout.frame] = pairs.dropped


class _Pairs:
    """Pairs that come in their order over several batches.

    counts: (members,) pairs kept of each. dropped: pairs that named nothing known. unknown: codes that should be known.
    """

    def __init__(self, layout: Layout, places: Places) -> None:
        self.finite = Finite(places, layout.frame)
        self.counts = np.zeros(places.size("member"), dtype=np.int64)
        self.dropped = 0
        self.unknown: set[str] = set()
        self._layout = layout
        self._last, self._had = -1, 0

    def kept(self, batch: pa.RecordBatch) -> dict[str, "np.ndarray"]:
        """Return the columns of the pairs of a batch that are kept, by file."""
        layout = self._layout
        columns = {name: floats(batch, name) for name in layout.numbers}
        self.finite.look(columns)
        member, other = (batch.column(name).to_numpy() for name in ("member", "other"))
        columns |= {layout.kind: other, **{name: batch.column(name).to_numpy() for name in layout.codes}}
        self.unknown |= {name for name in layout.known if (columns[name] < 0).any()}
        at = np.flatnonzero((member >= 0) & (other >= 0))
        self.dropped += len(member) - len(at)
        at = at[self._first(member[at])]
        own, sizes = np.unique(member[at], return_counts=True)
        self.counts[own] += sizes
        return {name: values[at] for name, values in columns.items()}

    def _first(self, member: "np.ndarray") -> "np.ndarray":
        """(n,) whether each pair is among the first of its member that are kept."""
        if self._layout.keep is None or not len(member):
            return np.ones(len(member), dtype=np.bool_)
        first = np.concatenate([[0], np.flatnonzero(np.diff(member)) + 1])
        sizes = np.diff(np.append(first, len(member)))
        had = np.zeros(len(first), dtype=np.int64)
        had[0] = self._had if member[0] == self._last else 0
        self._last, self._had = int(member[-1]), int(had[-1] + sizes[-1])
        rank = np.arange(len(member)) - np.repeat(first - had, sizes)
        return np.asarray(rank < self._layout.keep)


def _strange(places: Places, layout: Layout, file: str) -> list[str]:
    column, kind, _ = layout.codes[file]
    sql = (
        f"SELECT DISTINCT CAST({column} AS VARCHAR) AS text FROM rows "
        f"WHERE {column} IS NULL OR CAST({column} AS VARCHAR) NOT IN (SELECT id FROM place_{kind})"
    )
    found: Iterable[Any] = (text for batch in places.read(layout.frame, sql) for text in batch.column(0).to_pylist())
    return sorted(map(str, found))
