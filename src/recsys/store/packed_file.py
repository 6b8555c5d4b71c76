"""A full load of packed rows laid out as one file that is mapped: any row is found by two jumps into it."""

import hashlib
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.core.errors import ArtifactError
from recsys.store.packed_layout import HEADER, ArrowArray, kernels
from recsys.store.packed_rows import PackedBytes

# The file: a head; the rows, each its name in `name_width` bytes and then the packed row, which is `row_width` bytes
# long, or with a `row_width` of 0 ends where the next row starts; in that case, where each row starts and the last one
# ends, 8 bytes each; slots. A slot has 8 bytes: half of the name's hash, and the row's number + 1; all 0 = empty. A
# row's slot is less than `reach` slots behind the one that its hash points to, so one look at those finds it.
MAGIC = b"packed01"
HEAD = struct.Struct("<8s6Q")
HEAD_SIZE = 64
LONGEST_NAME = 64
SLOTS_A_ROW = 4
CHUNK = 65_536
HALF = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
FACTORS = tuple(np.uint64(pow(0x9E3779B97F4A7C15, place + 1, 1 << 64)) for place in range(LONGEST_NAME // 8))
SPREAD = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
"""MurmurHash3's last step."""


class RowFile:
    """Reads rows of a file that never changes; it may be deleted meanwhile.

    count: how many rows it has; row_width: bytes of every packed row, 0 where they differ.
    Raises `FileNotFoundError` when it is not there, `ArtifactError` when it is none.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(HEAD_SIZE)
            if len(head) < HEAD_SIZE or not head.startswith(MAGIC):
                raise ArtifactError(path, "is no file of rows")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _, self.count, self._name_width, self.row_width, starts_at, slots_at, reach = HEAD.unpack_from(head)
        cells: np.ndarray = np.frombuffer(self._map, np.uint8)
        self._starts = None if self.row_width else np.frombuffer(self._map, "<i8", self.count + 1, starts_at)
        self._slots = np.frombuffer(self._map, "<u8", offset=slots_at)
        self._window = np.arange(reach)
        self._shift = _shift(len(self._slots) - reach)
        self._names_at = _windows(cells, self._name_width)
        self._heads_at = _windows(cells, self._name_width + HEADER)
        self._rows_at = _windows(cells, self._name_width + self.row_width)

    def find(self, names: Sequence[bytes]) -> np.ndarray:
        """(n,) numbers of the rows with these names; -1 where there is none."""
        cells, fits = _fitted(name_cells(names), self._name_width)
        hashes = hashed(cells)
        window = self._slots[(hashes >> self._shift).astype(np.int64)[:, None] + self._window]
        hits = (window >> HALF == (hashes & LOW)[:, None]) & (window != 0)
        asked, at = np.nonzero(hits)
        rows = (window[asked, at] & LOW).astype(np.int64) - 1
        same = (self._names_at[self._offsets(rows)] == cells[asked]).all(axis=1) & fits[asked]
        places = np.full(len(names), -1, np.int64)
        places[asked[same]] = rows[same]
        return places

    def packed(self, places: np.ndarray, empty: bytes, instead: Mapping[int, bytes | memoryview]) -> PackedBytes:
        """Return rows by their numbers.

        empty: stands in for the number -1.
        instead: rows that are answered in place of those at some places.
        """
        gone = places < 0
        if self.row_width and self.row_width == len(empty) and not instead and self.count:
            block = self._rows_at[self._offsets(np.where(gone, 0, places))][:, self._name_width :]
            block[gone] = np.frombuffer(empty, np.uint8)
            return PackedBytes(block.tobytes(), np.arange(1, len(places) + 1) * self.row_width)
        starts = (self._offsets(places) + self._name_width).tolist()
        ends = self._ends(places).tolist()
        with memoryview(self._map) as view:
            rows: list[bytes | memoryview] = [
                empty if is_gone else view[start:end]
                for is_gone, start, end in zip(gone.tolist(), starts, ends, strict=True)
            ]
            for place, row in instead.items():
                rows[place] = row
            joined = PackedBytes.of(rows)
            rows.clear()
        return joined

    def names(self, places: np.ndarray) -> list[bytes]:
        """(n,) names of rows by their numbers, as far as the file keeps them: see `name_cells`."""
        cells = np.ascontiguousarray(self._names_at[self._offsets(places)])
        return cells.view(f"S{self._name_width}")[:, 0].tolist() if len(places) else []

    def times(self, places: np.ndarray) -> np.ndarray:
        """(n, 2) int64 event and created time of rows by their numbers."""
        heads = self._heads_at[self._offsets(places)][:, self._name_width + 8 :]
        times: np.ndarray = np.ascontiguousarray(heads).view("<i8").reshape(-1, 2)
        return times

    def arrays(self, places: np.ndarray) -> Iterator[ArrowArray]:
        """Yield rows by their numbers, some thousands at a time."""
        for start in range(0, len(places), CHUNK):
            packed = self.packed(places[start : start + CHUNK], bytes(self.row_width), {})
            ends: Any = np.concatenate([np.zeros(1, np.int64), packed.ends])
            buffers: Any = [None, pa.py_buffer(ends), pa.py_buffer(packed.data)]
            yield pa.Array.from_buffers(pa.large_binary(), len(packed), buffers)

    def _offsets(self, places: np.ndarray) -> np.ndarray:
        if self._starts is not None:
            found: np.ndarray = self._starts[places]
            return found
        return HEAD_SIZE + places * _stride(self._name_width, self.row_width)

    def _ends(self, places: np.ndarray) -> np.ndarray:
        if self._starts is not None:
            found: np.ndarray = self._starts[places + 1]
            return found
        ends: np.ndarray = self._offsets(places) + self._name_width + self.row_width
        return ends


class RowFiles:
    """Keeps the newest file of each view open, and no other: the disk of a deleted one is free when nobody has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[str, RowFile]] = {}

    def newest(self, view: str, name: str) -> RowFile:
        """Return the file that is a view's now; raises what `RowFile` raises."""
        known, file = self._open.get(view, ("", None))
        if file is None or known != name:
            self._open.pop(view, None)
            file = RowFile(self._folder / name)
            self._open[view] = (name, file)
        return file


def write_rows(path: Path, names: Sequence[bytes], blocks: Iterable[ArrowArray], *, row_width: int, sync: bool) -> None:
    """Write a file of rows.

    names: (n,) different names of the rows; blocks: (n,) packed rows in their order, some thousands at a time.
    row_width: bytes of every row, 0 where they differ.
    sync: whether the file is durable when this returns.
    """
    names = _shortened(names)
    name_width = _padded(max(map(len, names), default=1))
    hashes = np.empty(len(names), np.uint64)
    starts = np.full(len(names) + 1, HEAD_SIZE, np.int64)
    place = 0
    with path.open("wb") as file:
        file.write(bytes(HEAD_SIZE))
        for block in blocks:
            end = place + len(block)
            cells, _ = _fitted(_filled(names[place:end]), name_width)
            hashes[place:end] = hashed(cells)
            file.write(_fixed(cells, block, row_width) if row_width else _joined(cells, block, starts[place : end + 1]))
            place = end
        starts_at = 0 if row_width else _write_aligned(file, starts)
        slots, reach = _slots(hashes)
        slots_at = _write_aligned(file, slots)
        file.seek(0)
        file.write(HEAD.pack(MAGIC, len(names), name_width, row_width, starts_at, slots_at, reach))
        file.flush()
        if sync:
            os.fsync(file.fileno())
    if sync:
        _sync_folder(path.parent)


def name_cells(names: Sequence[bytes]) -> np.ndarray:
    """(n, w) names behind one another, filled up with zeros to a multiple of 8 bytes.

    Names that are long, or that could be taken for another one's filling, are kept as their digests.
    """
    return _filled(_shortened(names))


def _shortened(names: Sequence[bytes]) -> Sequence[bytes]:
    if b"\0" not in b"".join(names) and max(map(len, names), default=0) <= LONGEST_NAME:
        return names
    return [
        hashlib.sha512(name).digest() if len(name) > LONGEST_NAME or name.endswith(b"\0") else name for name in names
    ]


def _filled(names: Sequence[bytes]) -> np.ndarray:
    texts = np.array(names, "S")
    width = _padded(texts.itemsize)
    return texts.astype(f"S{width}").view(np.uint8).reshape(len(names), width)


def hashed(cells: np.ndarray) -> np.ndarray:
    """(n,) uint64 hashes of names in cells; those of the same name in a wider filling are the same."""
    words = np.ascontiguousarray(cells).view("<u8")
    mixed = words[:, 0] * FACTORS[0]
    for place in range(1, words.shape[1]):
        mixed += words[:, place] * FACTORS[place]
    for factor in SPREAD:
        mixed ^= mixed >> np.uint64(33)
        mixed *= factor
    return mixed ^ mixed >> np.uint64(33)


def _slots(hashes: np.ndarray) -> tuple[np.ndarray, int]:
    """Lay rows out by rising hash, each in the first free slot from where its hash points; (slots, reach)."""
    size = 1 << max(3, (len(hashes) * SLOTS_A_ROW - 1).bit_length())
    order = np.argsort(hashes, kind="stable")
    wanted = (hashes[order] >> _shift(size)).astype(np.int64)
    steps = np.arange(len(hashes))
    taken = steps + np.maximum.accumulate(wanted - steps) if len(hashes) else steps
    reach = int((taken - wanted).max(initial=0)) + 1
    slots = np.zeros(size + reach, "<u8")
    slots[taken] = (hashes[order] & LOW) << HALF | (order + 1).astype(np.uint64)
    return slots, reach


def _shift(size: int) -> np.uint64:
    return np.uint64(65 - size.bit_length())


def _fixed(cells: np.ndarray, block: ArrowArray, row_width: int) -> memoryview:
    size, width = cells.shape
    out = np.zeros((size, _stride(width, row_width)), np.uint8)
    out[:, :width] = cells
    first, _, data = _data(block)
    out[:, width : width + row_width] = data[first : first + size * row_width].reshape(size, row_width)
    return out.data


def _joined(cells: np.ndarray, block: ArrowArray, starts: np.ndarray) -> memoryview:
    size, width = cells.shape
    offsets: Any = np.arange(size + 1, dtype=np.int64) * width
    data: Any = np.ascontiguousarray(cells)
    names: Any = pa.Array.from_buffers(pa.large_binary(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    first, ends, whole = _data(kernels.binary_join_element_wise(names, block, pa.scalar(b"", pa.large_binary())))
    starts[1:] = starts[0] + ends - first
    return whole[first : int(ends[-1])].data


def _data(block: ArrowArray) -> tuple[int, np.ndarray, np.ndarray]:
    """Return where an array's first row starts, (n,) where each ends, and the bytes."""
    _, offsets, data = block.buffers()
    ends = np.frombuffer(offsets, np.int64)[block.offset : block.offset + len(block) + 1]
    return int(ends[0]), ends[1:], np.frombuffer(data, np.uint8)


def _fitted(cells: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return names in cells of a width, and (n,) whether they fit into it."""
    size, own = cells.shape
    if own == width:
        return cells, np.ones(size, bool)
    fits: np.ndarray = np.logical_not(cells[:, width:].any(axis=1))
    out = np.zeros((size, width), np.uint8)
    out[:, : min(own, width)] = cells[:, :width]
    return out, fits


def _windows(cells: np.ndarray, width: int) -> np.ndarray:
    """All spans of a width, by where they start; a file ends in slots, so none that is asked for is cut."""
    windows: np.ndarray = np.lib.stride_tricks.sliding_window_view(cells, width)
    return windows


def _write_aligned(file: Any, values: np.ndarray) -> int:
    file.write(bytes(-file.tell() % 8))
    at = int(file.tell())
    file.write(values.data)
    return at


def _padded(width: int) -> int:
    return max(8, -(-width // 8) * 8)


def _stride(name_width: int, row_width: int) -> int:
    return _padded(name_width + row_width)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
