"""Array files that grow while their values come in; whole, they are as `np.save` would have written them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np


class GrowingArray:
    """A one-dimensional `.npy` file that is appended to; it is whole when the block ends."""

    def __init__(self, path: Path, dtype: Any) -> None:
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        self._rows = 0
        self._file = path.open("wb")
        self._head()

    def append(self, values: "np.ndarray") -> None:
        """Write (n,) values behind those that are there."""
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)
        self._rows += len(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._head()
        self._file.close()

    def _head(self) -> None:
        """Write the header, whose length NumPy keeps the same for any number of rows."""
        about = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._rows,)}
        np.lib.format.write_array_header_1_0(self._file, about)


@contextmanager
def growing(folder: Path, dtypes: Mapping[str, Any]) -> Iterator[dict[str, GrowingArray]]:
    """Open several arrays by name, which end together."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(GrowingArray(folder / f"{name}.npy", dtype)) for name, dtype in dtypes.items()}


def save(folder: Path, name: str, array: "np.ndarray") -> None:
    """Write an array whole."""
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def starts(counts: "np.ndarray") -> "np.ndarray":
    """(n + 1,) where the run of each of n rows begins that has so many entries."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
