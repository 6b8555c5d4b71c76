"""Which row of a publication an id has, and a content's rows with their ids so replaced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from recsys.artifacts.publication_content import FINITE, Content
from recsys.artifacts.publication_files import id_key
from recsys.artifacts.publication_source import Sources
from recsys.core.errors import ArtifactError


@dataclass(frozen=True)
class Places:
    """Rows of ids, and the way to read a content with them.

    sources: the content's tables. tables: of `id`, text, and `row`, by the names that SQL calls them, `place_<kind>`.
    root: named in errors.
    dropped: rows of each frame that named nothing known; grows while frames are read.
    """

    content: Content
    sources: Sources
    root: Path
    tables: Mapping[str, pa.Table]
    dropped: dict[str, int] = field(default_factory=dict)

    def also(self, kind: str, ids: "np.ndarray") -> Self:
        """Return them with the places of one more kind of ids, which stand in their order."""
        return replace(self, tables={**self.tables, f"place_{kind}": numbered(ids)})

    def size(self, kind: str) -> int:
        """Return how many ids of a kind there are."""
        return len(self.tables[f"place_{kind}"])

    def ids(self, kind: str) -> Any:
        """Return a kind's ids, in their order, as an Arrow column."""
        return self.tables[f"place_{kind}"].column("id")

    def read(self, frame: str, sql: str, **given: Any) -> Iterator[pa.RecordBatch]:
        """Yield what a SELECT over `rows`, a frame of the content, and over `place_<kind>` gives."""
        yield from self.sources.read(frame, sql, beside=self.tables, given=given)

    def refuse(self, reason: str) -> ArtifactError:
        """Return the error that names what is wrong with the content."""
        return ArtifactError(self.root, f"content.{reason}")


class Finite:
    """Counts values that are not finite where all must be."""

    def __init__(self, places: Places, frame: str) -> None:
        self._places, self._frame = places, frame
        self._wrong = dict.fromkeys(FINITE.get(frame, ()), 0)

    def look(self, columns: Mapping[str, "np.ndarray"]) -> bool:
        """Look at some rows and tell whether none was wrong so far; columns that may be unknown are passed over."""
        for name in self._wrong.keys() & columns.keys():
            self._wrong[name] += int((~np.isfinite(columns[name])).sum())
        return not any(self._wrong.values())

    def hold(self) -> None:
        """Raise `ArtifactError` that names the first column with such a value."""
        for name, wrong in self._wrong.items():
            if wrong:
                raise self._places.refuse(f"{self._frame}.{name} is not finite in {wrong} rows")


def floats(batch: pa.RecordBatch, name: str) -> "np.ndarray":
    """(n,) float64 of a column of doubles, NaN = null."""
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)


def numbered(ids: "np.ndarray") -> pa.Table:
    """Return the table of ids and their rows."""
    return pa.table({"id": pa.array(ids, pa.string()), "row": pa.array(np.arange(len(ids), dtype=np.int32))})


def in_key_order(ids: "np.ndarray") -> "np.ndarray":
    """(n,) where the ids (n,) of text stand in the order of a publication's rows: by hash, then by text."""
    return np.lexsort((ids.astype(str), keys_of(ids)))


def keys_of(ids: "np.ndarray") -> "np.ndarray":
    """(n,) unsigned hashes of ids."""
    return np.fromiter((id_key(str(text)) for text in ids), dtype=np.uint64, count=len(ids))
