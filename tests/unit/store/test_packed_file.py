"""Rows laid out as a file, beside a dict of the same rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.core.errors import ArtifactError
from recsys.store import packed, packed_file
from recsys.store.packed import PackedReader, PackedStore
from recsys.store.packed_file import RowFile, hashed, name_cells, write_rows

DAY = datetime(2025, 3, 1, tzinfo=UTC)
EMPTY = b"-" * 24
NAME = st.binary(max_size=20) | st.sampled_from([b"x" * 64, b"x" * 65, b"x" * 64 + b"\0", b"x\0", b"x", b"x\0\0"])


def put(path: Path, rows: dict[bytes, bytes], *, width: int = 0) -> RowFile:
    values = list(rows.values())
    blocks = [pa.array(values[start : start + 3], pa.large_binary()) for start in range(0, len(values), 3)]
    write_rows(path, list(rows), blocks, row_width=width, sync=False)
    return RowFile(path)


def read(file: RowFile, names: list[bytes], empty: bytes = EMPTY) -> list[bytes]:
    found = file.packed(file.find(names), empty, {})
    return [found.data[start:end] for start, end in zip(found.starts, found.ends, strict=True)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.dictionaries(NAME, st.binary(min_size=24, max_size=40), max_size=30),
    asked=st.lists(NAME, max_size=10),
    fixed=st.booleans(),
)
def test_every_row_is_found_by_its_name_and_nothing_else(
    rows: dict[bytes, bytes], asked: list[bytes], fixed: bool, tmp_path: Path
) -> None:
    if fixed:
        rows = {name: row[:24] for name, row in rows.items()}
    file = put(tmp_path / "a.rows", rows, width=24 if fixed else 0)
    names = [*asked, *rows, *reversed(rows)]
    assert read(file, names) == [rows.get(name, EMPTY) for name in names]
    assert file.count == len(rows)
    numbers = np.arange(file.count)
    assert file.find(file.names(numbers)).tolist() == numbers.tolist()
    assert [row for block in file.arrays(numbers) for row in block.to_pylist()] == list(rows.values())


def test_rows_are_found_though_all_hashes_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_file, "hashed", lambda cells: np.full(len(cells), 2**64 - 1, np.uint64))
    rows = {b"m%d" % number: b"%024d" % number for number in range(50)}
    file = put(tmp_path / "a.rows", rows, width=24)
    assert read(file, [*rows, b"m50"]) == [*rows.values(), EMPTY]


def test_names_in_order_are_spread_over_the_slots(tmp_path: Path) -> None:
    names = [b"m%08d" % number for number in range(100_000)]
    hashes = hashed(name_cells(names))
    assert len(np.unique(hashes)) == len(names)
    shares = np.bincount((hashes >> np.uint64(56)).astype(int), minlength=256)
    assert shares.min() > 0.7 * len(names) / 256
    assert shares.max() < 1.3 * len(names) / 256
    wider = hashed(name_cells([*names[:10], b"y" * 40]))
    assert wider[:10].tolist() == hashes[:10].tolist()


def test_a_file_is_read_on_when_it_was_deleted_and_refused_when_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.rows"
    file = put(path, {b"a": b"1" * 24}, width=24)
    path.unlink()
    assert read(file, [b"a", b"b"]) == [b"1" * 24, EMPTY]
    with pytest.raises(FileNotFoundError):
        RowFile(path)
    for content in (b"", b"something else" * 100):
        path.write_bytes(content)
        with pytest.raises(ArtifactError):
            RowFile(path)


def frame(names: list[str], spend: float, day: int) -> pa.Table:
    return pa.table(
        {"id": pa.array(names), "spend": pa.array([spend] * len(names)), "at": [DAY + timedelta(days=day)] * len(names)}
    )


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Members enough for a load that is laid out."""
    monkeypatch.setattr(packed, "LAID_OUT_FROM", 50)
    return [f"m{number}" for number in range(100)]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.rows"))


def spends(folder: Path, names: list[str]) -> list[float]:
    found: list[float] = PackedReader(folder).read("member", names).numbers[:, 0].tolist()
    return found


def write(folder: Path, names: list[str], spend: float, day: int) -> int:
    return PackedStore(folder).write("member", frame(names, spend, day), keys=["id"], event="at")


def test_a_full_load_is_one_file_and_single_rows_stand_before_it(tmp_path: Path, names: list[str]) -> None:
    assert write(tmp_path, names, 1.0, day=1) == 100
    (first,) = files(tmp_path)
    assert write(tmp_path, ["m5", "new"], 2.0, day=2) == 2
    assert write(tmp_path, ["m6"], 0.0, day=0) == 0
    assert files(tmp_path) == [first]
    assert spends(tmp_path, ["m4", "m5", "m6", "new"]) == [1.0, 2.0, 1.0, 2.0]
    assert PackedReader(tmp_path).count("member") == 101
    assert write(tmp_path, names, 3.0, day=3) == 100
    assert len(files(tmp_path)) == 1
    assert files(tmp_path) != [first]
    assert spends(tmp_path, ["m4", "m5", "new"]) == [3.0, 3.0, 2.0]
    assert PackedReader(tmp_path).count("member") == 101


def test_an_older_load_replaces_only_what_is_older_still(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names[:60], 1.0, day=5)
    write(tmp_path, ["m70"], 2.0, day=5)
    assert write(tmp_path, names, 3.0, day=4) == 39
    assert spends(tmp_path, ["m0", "m59", "m60", "m70", "m99"]) == [1.0, 1.0, 3.0, 2.0, 3.0]
    assert PackedReader(tmp_path).count("member") == 100


def test_what_is_forgotten_is_gone_from_the_disk(tmp_path: Path, names: list[str]) -> None:
    secret = 1.2345678901234567e-89
    bytes_of_it = np.float64(secret).tobytes()
    write(tmp_path, names, secret, day=1)
    (held,) = tmp_path.glob("*.rows")
    assert bytes_of_it in held.read_bytes()
    write(tmp_path, names[:70], 2.0, day=2)
    assert spends(tmp_path, ["m69", "m70"]) == [2.0, secret]
    assert PackedStore(tmp_path).forget("member", before=DAY + timedelta(days=2)) == 30
    assert all(bytes_of_it not in path.read_bytes() for path in tmp_path.glob("*.rows"))
    assert PackedReader(tmp_path).read("member", names).found.tolist() == [True] * 70 + [False] * 30
    assert PackedStore(tmp_path).forget("member") == 70
    assert files(tmp_path) == []


def test_a_row_in_both_places_is_forgotten_once(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names, 1.0, day=1)
    write(tmp_path, ["m1"], 2.0, day=2)
    write(tmp_path, ["m2"], 2.0, day=4)
    store = PackedStore(tmp_path)
    assert store.forget("member", before=DAY + timedelta(days=3)) == 99
    assert PackedReader(tmp_path).read("member", ["m1", "m2"]).found.tolist() == [False, True]
    assert store.forget("member") == 1


def test_a_reader_lets_go_of_the_file_that_was_replaced(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names, 1.0, day=1)
    reader = PackedReader(tmp_path)
    for day in (2, 3):
        assert reader.read("member", ["m1"]).found.all()
        write(tmp_path, names, 2.0, day=day)
    assert reader.read("member", ["m1"]).numbers.tolist() == [[2.0]]
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line}
    assert {Path(path).name for path in mapped if path.endswith(".rows")} == set(files(tmp_path))
    assert "(deleted)" not in mapped


def test_files_that_nobody_names_go_with_the_next_load(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names, 1.0, day=1)
    (tmp_path / "half-written.rows").write_bytes(b"packed01")
    PackedStore(tmp_path).write("other", frame(names, 5.0, day=1), keys=["id"], event="at")
    assert len(files(tmp_path)) == 2
    assert "half-written.rows" not in files(tmp_path)
    assert spends(tmp_path, ["m1"]) == [1.0]


def test_a_load_that_cannot_be_written_leaves_the_old_rows(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, names, 1.0, day=1)
    before = files(tmp_path)

    def full(_: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(packed_file, "_slots", full)
        with pytest.raises(OSError, match="No space"):
            write(tmp_path, names, 2.0, day=2)
    assert files(tmp_path) == before
    assert spends(tmp_path, ["m1"]) == [1.0]


def test_a_store_that_lost_its_file_is_told(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names, 1.0, day=1)
    for path in tmp_path.glob("*.rows"):
        path.unlink()
    with pytest.raises(ArtifactError, match="misses"):
        PackedReader(tmp_path).read("member", ["m1"])
