"""The parts a Publication is opened into: ids, ragged columns and texts over memory-mapped files."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from recsys.artifacts.publication_files import id_key
from recsys.core.errors import ArtifactError


def open_array(folder: Path, name: str, shape: tuple[int | None, ...], *, kind: str = "f") -> "np.ndarray":
    """Memory-map an array and hold it to its shape and kind.

    shape: None takes any length on that axis. kind: NumPy's letter: f(loat), i(nteger) or u(nsigned).
    """
    path = folder / f"{name}.npy"
    try:
        array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise ArtifactError(path, "cannot be read") from error
    if len(array.shape) != len(shape) or any(
        want not in (None, have) for want, have in zip(shape, array.shape, strict=True)
    ):
        raise ArtifactError(path, f"has the shape {array.shape}, not {shape}")
    if array.dtype.kind != kind:
        raise ArtifactError(path, f"holds {array.dtype}, not values of the kind {kind}")
    return array


def open_rows(folder: Path, name: str, n: int | None, *, low: int = 0, below: int, known: bool = False) -> "np.ndarray":
    """Memory-map (n,) row numbers or codes and hold them to [low, below); known: they were, and nothing is read."""
    rows = open_array(folder, name, (n,), kind="i")
    if not known and len(rows) and (rows.min() < low or rows.max() >= below):
        raise ArtifactError(folder / f"{name}.npy", "names rows that are not there")
    return rows


@dataclass(frozen=True)
class Texts:
    """Text columns of an Arrow file, one value at a time; None = unknown."""

    columns: Mapping[str, Any]
    rows: int

    @classmethod
    def open(cls, folder: Path, name: str, columns: tuple[str, ...]) -> Self:
        """Memory-map `<name>.arrow`, which must have these columns."""
        path = folder / f"{name}.arrow"
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise ArtifactError(path, "cannot be read") from error
        missing = set(columns) - set(table.column_names)
        if missing:
            raise ArtifactError(path, f"lacks {', '.join(sorted(missing))}")
        chunks = {column: table.column(column).chunks for column in table.column_names}
        return cls({column: parts[0] if parts else () for column, parts in chunks.items()}, table.num_rows)

    def at(self, column: str, row: int) -> Any:
        """Return one value as a Python object."""
        return self.columns[column][row].as_py()

    def codes(self, column: str) -> "np.ndarray":
        """(rows,) equal numbers from 0 on for equal texts, -1 = unknown."""
        known: dict[str | None, int] = {None: -1}
        texts = (value.as_py() for value in self.columns[column])
        return np.fromiter((known.setdefault(text, len(known) - 1) for text in texts), np.int64, self.rows)


@dataclass(frozen=True)
class Ids:
    """Opaque ids to row numbers, in O(log n) and without an object an id.

    keys: (n,) unsigned 64-bit hashes of the ids, ascending.
    column: the text column that holds the ids in the same order.
    """

    keys: "np.ndarray"
    texts: Texts
    column: str

    def row(self, text: str) -> int | None:
        """Return the row of an id, None when it is not there."""
        key, keys = id_key(text), self.keys.data
        row = bisect_left(keys, key)
        while row < len(keys) and keys[row] == key:
            if self.texts.at(self.column, row) == text:
                return row
            row += 1
        return None

    def text(self, row: int) -> str:
        """Return the id of a row."""
        return str(self.texts.at(self.column, row))

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Ragged:
    """Columns of pairs, grouped by their first id and ordered best first within a group.

    start: (n + 1,) row r's pairs are [start[r], start[r + 1]).
    other: (pairs,) the row number of the pair's second id: a product or a category.
    columns: (pairs,) values by name.
    """

    start: "np.ndarray"
    other: "np.ndarray"
    columns: Mapping[str, "np.ndarray"]

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        *,
        other: str,
        columns: tuple[str, ...],
        groups: int,
        others: int,
        known: bool = False,
    ) -> Self:
        """Memory-map a group of files and hold starts and row numbers to their bounds; known: as of `open_rows`."""
        start = open_array(folder, f"{name}_start", (groups + 1,), kind="i")
        pairs = int(start[-1])
        if not known and (start[0] != 0 or (np.diff(start) < 0).any()):
            raise ArtifactError(folder / f"{name}_start.npy", "does not ascend")
        second = open_rows(folder, f"{name}_{other}", pairs, below=others, known=known)
        return cls(start, second, {column: open_array(folder, f"{name}_{column}", (pairs,)) for column in columns})

    def span(self, row: int) -> slice:
        """Where a group's pairs stand."""
        return slice(int(self.start[row]), int(self.start[row + 1]))

    def groups(self, at: "np.ndarray") -> "np.ndarray":
        """Return the group of each pair position."""
        return np.asarray(self.start.searchsorted(at, side="right") - 1)
