import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.core.errors import ArtifactError, MissingError, TableError
from recsys.store.packed import PackedReader, PackedStore

DAY = datetime(2025, 3, 1, tzinfo=UTC)


def frame(names: list[str], value: float, *, time: datetime = DAY, created: datetime | None = None) -> pa.Table:
    size = len(names)
    return pa.table(
        {
            "member_id": pa.array(names, pa.string()),
            "spend": pa.array([value] * size, pa.float64()),
            "city": pa.array(["上海"] * size, pa.string()),
            "event_timestamp": pa.array([time] * size, pa.timestamp("us", "UTC")),
            "created_timestamp": pa.array([created or time] * size, pa.timestamp("us", "UTC")),
        }
    )


def put(store: PackedStore, table: pa.Table, view: str = "member") -> int:
    return store.write(view, table, keys=["member_id"], event="event_timestamp", created="created_timestamp")


ROW = st.fixed_dictionaries(
    {
        "price": st.none() | st.floats(allow_nan=False),
        "visits": st.none() | st.integers(-(2**63), 2**63 - 1),
        "opted": st.none() | st.booleans(),
        "city": st.none() | st.text(st.characters(codec="utf-8"), max_size=8),
        "token": st.none() | st.binary(max_size=8),
    }
)
TYPES = {
    "price": pa.float64(),
    "visits": pa.int64(),
    "opted": pa.bool_(),
    "city": pa.string(),
    "token": pa.binary(),
}
NAME = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["长" * 400, "长" * 401])


@settings(max_examples=40, deadline=None)
@given(rows=st.dictionaries(st.tuples(NAME, NAME), ROW, max_size=12))
def test_every_kind_of_value_comes_back_as_it_went_in(
    rows: dict[tuple[str, str], dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("online")
    columns = {name: pa.array([row[name] for row in rows.values()], kind) for name, kind in TYPES.items()}
    keys = {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    times = pa.array([DAY + timedelta(microseconds=place) for place in range(len(rows))], pa.timestamp("us", "UTC"))
    store = PackedStore(path)
    assert store.write("pair", pa.table({**columns, **keys, "at": times}), keys=["a", "b"], event="at") == len(rows)
    if not rows:
        return
    asked = [*rows, ("nobody", "here")]
    read = PackedReader(path).read("pair", asked)
    assert read.found.tolist() == [True] * len(rows) + [False]
    for name in TYPES:
        assert read.column(name) == [row[name] for row in rows.values()] + [None]
    expected = [[np.nan if row[name] is None else row[name] for name in read.names] for row in rows.values()]
    np.testing.assert_array_equal(read.numbers[:-1], np.array(expected, float))
    assert np.isnan(read.numbers[-1]).all()
    assert read.event_time[:-1].astype(np.int64).tolist() == times.cast(pa.int64()).to_pylist()
    assert np.isnat(read.event_time[-1])
    assert np.isnat(read.created_time).all()


def test_a_nan_is_no_null_but_both_are_unknown_as_numbers(tmp_path: Path) -> None:
    table = frame(["a", "b"], 1.0).set_column(1, "spend", pa.array([None, np.nan], pa.float64()))
    put(PackedStore(tmp_path), table)
    read = PackedReader(tmp_path).read("member", ["a", "b"])
    null, nan = read.column("spend")
    assert null is None
    assert isinstance(nan, float)
    assert np.isnan(nan)
    assert np.isnan(read.numbers).all()


def test_no_keys_give_no_rows(tmp_path: Path) -> None:
    put(PackedStore(tmp_path), frame(["a"], 1.0))
    read = PackedReader(tmp_path).read("member", [])
    assert len(read) == 0
    assert read.numbers.shape == (0, 1)
    assert read.column("city") == read.column("spend") == []


def test_a_view_may_hold_texts_alone(tmp_path: Path) -> None:
    put(PackedStore(tmp_path), frame(["a"], 1.0).drop_columns(["spend"]))
    read = PackedReader(tmp_path).read("member", ["a", "b"])
    assert read.numbers.shape == (2, 0)
    assert read.column("city") == ["上海", None]


def test_newer_times_win_whatever_the_order(tmp_path: Path) -> None:
    store, reader = PackedStore(tmp_path), None
    late, later = DAY + timedelta(days=1), DAY + timedelta(days=2)
    assert put(store, frame(["a", "b"], 1.0, time=late)) == 2
    reader = PackedReader(tmp_path)
    assert put(store, frame(["a", "c"], 2.0, time=DAY)) == 1
    assert reader.read("member", ["a", "b", "c"]).numbers[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert put(store, frame(["a"], 3.0, time=late, created=DAY)) == 0
    assert put(store, frame(["a"], 4.0, time=late, created=later)) == 1
    assert put(store, frame(["a"], 5.0, time=late, created=later)) == 1
    assert reader.read("member", ["a"]).numbers.tolist() == [[5.0]]


def test_of_a_key_twice_in_one_load_the_newest_is_kept(tmp_path: Path) -> None:
    rows = [frame(["a"], 1.0, time=DAY + timedelta(days=day)) for day in (1, 3, 2)]
    assert put(PackedStore(tmp_path), pa.concat_tables(rows)) == 1
    assert PackedReader(tmp_path).read("member", ["a"]).event_time[0] == np.datetime64("2025-03-04")


def test_a_stale_row_is_withheld_and_told(tmp_path: Path) -> None:
    store = PackedStore(tmp_path)
    put(store, frame(["old"], 1.0, time=DAY))
    put(store, frame(["new"], 2.0, time=DAY + timedelta(days=7)))
    read = PackedReader(tmp_path).read("member", ["old", "new", "none"], not_before=DAY + timedelta(microseconds=1))
    assert read.found.tolist() == [False, True, False]
    assert read.stale.tolist() == [True, False, False]
    assert read.column("spend") == [None, 2.0, None]
    assert read.column("city") == [None, "上海", None]
    assert np.isnan(read.numbers[0, 0])
    assert PackedReader(tmp_path).read("member", ["old"], not_before=DAY).found.all()


def test_rows_of_an_older_schema_stay_readable(tmp_path: Path) -> None:
    store, reader_path = PackedStore(tmp_path), tmp_path
    put(store, frame(["a", "b"], 1.0))
    wider = frame(["b"], 2.0).append_column("visits", pa.array([7], pa.int64())).drop_columns(["city"])
    put(store, wider)
    read = PackedReader(reader_path).read("member", ["a", "b", "c"])
    assert read.names == ("spend", "visits")
    assert read.column("spend") == [1.0, 2.0, None]
    assert read.column("visits") == [None, 7, None]
    assert read.found.tolist() == [True, True, False]


def test_views_do_not_meet_and_are_forgotten_one_by_one(tmp_path: Path) -> None:
    store = PackedStore(tmp_path)
    put(store, frame(["a", "b"], 1.0))
    put(store, frame(["a"], 2.0), view="members")
    reader = PackedReader(tmp_path)
    assert reader.count("member") == 2
    assert store.forget("member", before=DAY) == 0
    put(store, frame(["b"], 3.0, time=DAY + timedelta(days=1)))
    assert store.forget("member", before=DAY + timedelta(days=1)) == 1
    assert reader.read("member", ["a", "b"]).found.tolist() == [False, True]
    assert store.forget("member") == 1
    with pytest.raises(MissingError):
        reader.read("member", ["a"])
    assert reader.read("members", ["a"]).numbers.tolist() == [[2.0]]
    assert put(store, frame(["a"], 1.0)) == 1


def test_nothing_materialised_says_which_step_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="recsys materialize"):
        PackedReader(tmp_path)
    store = PackedStore(tmp_path)
    assert put(store, frame([], 1.0)) == 0
    with pytest.raises(MissingError, match="member"):
        PackedReader(tmp_path).read("member", ["a"])


def test_what_cannot_be_packed_is_refused_by_name(tmp_path: Path) -> None:
    store = PackedStore(tmp_path)
    lists = frame(["a"], 1.0).append_column("basket", pa.array([["x"]]))
    with pytest.raises(TableError, match="basket"):
        put(store, lists)
    nulls = frame(["a"], 1.0).set_column(0, "member_id", pa.array([None], pa.string()))
    with pytest.raises(TableError, match="member_id"):
        put(store, nulls)


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"something else" * 1000)
    with pytest.raises(ArtifactError):
        PackedReader(tmp_path)


def child(code: str, *arguments: str) -> "subprocess.Popen[str]":
    setup = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_packed import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", setup + code, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def test_a_row_written_here_is_seen_by_another_process_at_once(tmp_path: Path) -> None:
    store = PackedStore(tmp_path)
    put(store, frame(["a"], 1.0))
    code = (
        "reader = PackedReader(Path(sys.argv[1]))\n"
        "for line in sys.stdin: print(reader.read('member', ['a']).numbers[0, 0], flush=True)"
    )
    with child(code, str(tmp_path)) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for value in (1.0, 2.0, 3.0):
            put(store, frame(["a"], value, time=DAY + timedelta(days=value)))
            reader.stdin.write("read\n")
            reader.stdin.flush()
            assert float(reader.stdout.readline()) == value
        reader.stdin.close()


def test_a_writer_killed_in_the_middle_leaves_the_old_rows(tmp_path: Path) -> None:
    names = [f"m{number:06d}" for number in range(70_000)]
    put(PackedStore(tmp_path), frame(names, 1.0))
    code = (
        "names = [f'm{number:06d}' for number in range(70_000)]\n"
        "def wait(rows): print(rows, flush=True); sys.stdin.read()\n"
        "PackedStore(Path(sys.argv[1])).write('member', frame(names, 2.0, time=DAY + timedelta(days=1)),"
        " keys=['member_id'], event='event_timestamp', created='created_timestamp', progress=wait)"
    )
    with child(code, str(tmp_path)) as writer:
        assert writer.stdout is not None
        assert int(writer.stdout.readline()) == 65_536
        os.kill(writer.pid, signal.SIGKILL)
    read = PackedReader(tmp_path).read("member", names)
    assert read.found.all()
    assert (read.numbers == 1.0).all()
    assert put(PackedStore(tmp_path), frame(names, 3.0, time=DAY + timedelta(days=2))) == len(names)
    assert (PackedReader(tmp_path).read("member", names).numbers == 3.0).all()


def test_a_reader_needs_no_feast() -> None:
    code = "import sys, recsys.store.packed; sys.exit(bool({'feast', 'bentoml', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
