import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from recsys.core.errors import ArtifactError, ConfigError, MissingError, TableError
from recsys.store import packed
from recsys.store.online import Place, RowReader, RowStore, row_reader, row_store
from tests.redis_server import RedisServer

DAY = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["recent", "laid out", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where nothing was written yet: whatever packed rows promise, they promise in LMDB, in a file and in a Redis."""
    if request.param == "redis":
        return emptied(request.getfixturevalue("redis"))
    if request.param == "laid out":
        monkeypatch.setattr(packed, "LAID_OUT_FROM", 1)
    return tmp_path


@pytest.fixture(params=["folder", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same for tests with several processes, whose loads are so large that a folder lays them out."""
    return tmp_path if request.param == "folder" else emptied(request.getfixturevalue("redis"))


def emptied(server: RedisServer) -> str:
    with Redis.from_url(server.url) as client:
        client.flushall()
    return server.url


def reading(place: Place) -> RowReader:
    return row_reader(place, seconds=5)


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


def put(store: RowStore, table: pa.Table, view: str = "member") -> int:
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.dictionaries(st.tuples(NAME, NAME), ROW, max_size=12))
def test_every_kind_of_value_comes_back_as_it_went_in(
    rows: dict[tuple[str, str], dict[str, object]], place: Place
) -> None:
    columns = {name: pa.array([row[name] for row in rows.values()], kind) for name, kind in TYPES.items()}
    keys = {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    times = pa.array([DAY + timedelta(microseconds=place) for place in range(len(rows))], pa.timestamp("us", "UTC"))
    store = row_store(place)
    store.forget("pair")
    assert store.write("pair", pa.table({**columns, **keys, "at": times}), keys=["a", "b"], event="at") == len(rows)
    if not rows:
        return
    asked = [*rows, ("nobody", "here")]
    read = reading(place).read("pair", asked)
    assert read.found.tolist() == [True] * len(rows) + [False]
    for name in TYPES:
        assert read.column(name) == [row[name] for row in rows.values()] + [None]
    expected = [[np.nan if row[name] is None else row[name] for name in read.names] for row in rows.values()]
    np.testing.assert_array_equal(read.numbers[:-1], np.array(expected, float))
    assert np.isnan(read.numbers[-1]).all()
    assert read.event_time[:-1].astype(np.int64).tolist() == times.cast(pa.int64()).to_pylist()
    assert np.isnat(read.event_time[-1])
    assert np.isnat(read.created_time).all()


def test_a_nan_is_no_null_but_both_are_unknown_as_numbers(place: Place) -> None:
    table = frame(["a", "b"], 1.0).set_column(1, "spend", pa.array([None, np.nan], pa.float64()))
    put(row_store(place), table)
    read = reading(place).read("member", ["a", "b"])
    null, nan = read.column("spend")
    assert null is None
    assert isinstance(nan, float)
    assert np.isnan(nan)
    assert np.isnan(read.numbers).all()


def test_no_keys_give_no_rows(place: Place) -> None:
    put(row_store(place), frame(["a"], 1.0))
    read = reading(place).read("member", [])
    assert len(read) == 0
    assert read.numbers.shape == (0, 1)
    assert read.column("city") == read.column("spend") == []


def test_a_view_may_hold_texts_alone(place: Place) -> None:
    put(row_store(place), frame(["a"], 1.0).drop_columns(["spend"]))
    read = reading(place).read("member", ["a", "b"])
    assert read.numbers.shape == (2, 0)
    assert read.column("city") == ["上海", None]


def test_newer_times_win_whatever_the_order(place: Place) -> None:
    store, reader = row_store(place), None
    late, later = DAY + timedelta(days=1), DAY + timedelta(days=2)
    assert put(store, frame(["a", "b"], 1.0, time=late)) == 2
    reader = reading(place)
    assert put(store, frame(["a", "c"], 2.0, time=DAY)) == 1
    assert reader.read("member", ["a", "b", "c"]).numbers[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert put(store, frame(["a"], 3.0, time=late, created=DAY)) == 0
    assert put(store, frame(["a"], 4.0, time=late, created=later)) == 1
    assert put(store, frame(["a"], 5.0, time=late, created=later)) == 1
    assert reader.read("member", ["a"]).numbers.tolist() == [[5.0]]


def test_of_a_key_twice_in_one_load_the_newest_is_kept(place: Place) -> None:
    rows = [frame(["a"], 1.0, time=DAY + timedelta(days=day)) for day in (1, 3, 2)]
    assert put(row_store(place), pa.concat_tables(rows)) == 1
    assert reading(place).read("member", ["a"]).event_time[0] == np.datetime64("2025-03-04")


def test_a_stale_row_is_withheld_and_told(place: Place) -> None:
    store = row_store(place)
    put(store, frame(["old"], 1.0, time=DAY))
    put(store, frame(["new"], 2.0, time=DAY + timedelta(days=7)))
    read = reading(place).read("member", ["old", "new", "none"], not_before=DAY + timedelta(microseconds=1))
    assert read.found.tolist() == [False, True, False]
    assert read.stale.tolist() == [True, False, False]
    assert read.column("spend") == [None, 2.0, None]
    assert read.column("city") == [None, "上海", None]
    assert np.isnan(read.numbers[0, 0])
    assert reading(place).read("member", ["old"], not_before=DAY).found.all()


def test_rows_of_an_older_schema_stay_readable(place: Place) -> None:
    store = row_store(place)
    put(store, frame(["a", "b"], 1.0))
    wider = frame(["b"], 2.0).append_column("visits", pa.array([7], pa.int64())).drop_columns(["city"])
    put(store, wider)
    read = reading(place).read("member", ["a", "b", "c"])
    assert read.names == ("spend", "visits")
    assert read.column("spend") == [1.0, 2.0, None]
    assert read.column("visits") == [None, 7, None]
    assert read.found.tolist() == [True, True, False]


def test_views_do_not_meet_and_are_forgotten_one_by_one(place: Place) -> None:
    store = row_store(place)
    put(store, frame(["a", "b"], 1.0))
    put(store, frame(["a"], 2.0), view="members")
    reader = reading(place)
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


def test_nothing_materialised_says_which_step_is_missing(place: Place) -> None:
    with pytest.raises(MissingError, match="recsys materialize"):
        reading(place).read("member", ["a"])
    store = row_store(place)
    assert put(store, frame([], 1.0)) == 0
    with pytest.raises(MissingError, match="member"):
        reading(place).read("member", ["a"])


def test_what_cannot_be_packed_is_refused_by_name(place: Place) -> None:
    store = row_store(place)
    lists = frame(["a"], 1.0).append_column("basket", pa.array([["x"]]))
    with pytest.raises(TableError, match="basket"):
        put(store, lists)
    nulls = frame(["a"], 1.0).set_column(0, "member_id", pa.array([None], pa.string()))
    with pytest.raises(TableError, match="member_id"):
        put(store, nulls)


def opened(place: str) -> Place:
    return place if place.startswith("redis:") else Path(place)


def child(code: str, *arguments: str) -> "subprocess.Popen[str]":
    setup = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_packed import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", setup + code, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def test_a_row_written_here_is_seen_by_another_process_at_once(shared: Place) -> None:
    store = row_store(shared)
    put(store, frame(["a"], 1.0))
    code = (
        "reader = reading(opened(sys.argv[1]))\n"
        "for line in sys.stdin: print(reader.read('member', ['a']).numbers[0, 0], flush=True)"
    )
    with child(code, str(shared)) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for value in (1.0, 2.0, 3.0):
            put(store, frame(["a"], value, time=DAY + timedelta(days=value)))
            reader.stdin.write("read\n")
            reader.stdin.flush()
            assert float(reader.stdout.readline()) == value
        reader.stdin.close()


def test_a_writer_killed_in_the_middle_leaves_the_old_rows(shared: Place) -> None:
    names = [f"m{number:06d}" for number in range(70_000)]
    put(row_store(shared), frame(names, 1.0))
    code = (
        "names = [f'm{number:06d}' for number in range(70_000)]\n"
        "def wait(rows): print(rows, flush=True); sys.stdin.read()\n"
        "row_store(opened(sys.argv[1])).write('member', frame(names, 2.0, time=DAY + timedelta(days=1)),"
        " keys=['member_id'], event='event_timestamp', created='created_timestamp', progress=wait)"
    )
    with child(code, str(shared)) as writer:
        assert writer.stdout is not None
        written = int(writer.stdout.readline())
        assert 0 < written < len(names)
        os.kill(writer.pid, signal.SIGKILL)
    read = reading(shared).read("member", names)
    assert read.found.all()
    assert set(read.column("city")) == {"上海"}
    new = (read.numbers[:, 0] == 2.0) & (read.event_time == np.datetime64("2025-03-02"))
    old = (read.numbers[:, 0] == 1.0) & (read.event_time == np.datetime64("2025-03-01"))
    assert (new | old).all()
    assert new.sum() == (written if isinstance(shared, str) else 0)  # in a folder a load is one transaction
    assert put(row_store(shared), frame(names, 3.0, time=DAY + timedelta(days=2))) == len(names)
    assert (reading(shared).read("member", names).numbers == 3.0).all()


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"something else" * 1000)
    with pytest.raises(ArtifactError):
        reading(tmp_path).read("member", ["a"])


def test_a_folder_that_takes_anothers_place_is_read_from_then_on(tmp_path: Path) -> None:
    here, there = tmp_path / "online", tmp_path / "other"
    put(row_store(here), frame(["a"], 1.0))
    put(row_store(there), frame(["a"], 2.0))
    reader = reading(here)
    assert reader.read("member", ["a"]).numbers.tolist() == [[1.0]]
    here.rename(tmp_path / "gone")
    there.rename(here)
    assert reader.read("member", ["a"]).numbers.tolist() == [[2.0]]


def test_two_writers_at_once_leave_the_newest_of_each_row(shared: Place) -> None:
    names = [f"m{number:05d}" for number in range(20_000)]
    code = (
        "names = [f'm{number:05d}' for number in range(20_000)]\n"
        "sys.stdin.readline()\n"
        "for day in map(int, sys.argv[2:]): put(row_store(opened(sys.argv[1])),"
        " frame(names, float(day), time=DAY + timedelta(days=day)))"
    )
    put(row_store(shared), frame(names, 0.0))
    with child(code, str(shared), "5", "2", "3") as one, child(code, str(shared), "4", "1", "6") as other:
        for writer in (one, other):
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        assert (one.wait(60), other.wait(60)) == (0, 0)
    read = reading(shared).read("member", names)
    assert (read.numbers == 6.0).all()
    assert (read.event_time == np.datetime64("2025-03-07")).all()


def test_the_bytes_of_a_row_are_the_same_in_a_folder_and_in_a_redis(tmp_path: Path, redis: RedisServer) -> None:
    rows = frame(["a", "b"], 1.0).set_column(2, "city", pa.array(["上", None]))
    both: list[Place] = [tmp_path, redis.url]
    stored = []
    for place in both:
        row_store(place).forget("member")
        put(row_store(place), rows)
        stored.append(reading(place).read("member", ["a", "b", "c"]).packed)
    assert stored[0].data == stored[1].data
    assert stored[0].ends.tolist() == stored[1].ends.tolist()


def test_names_of_views_are_no_patterns(redis: RedisServer) -> None:
    with Redis.from_url(redis.url) as client:
        client.flushall()
    store = row_store(redis.url)
    for view in ("a*", "ab", "a[b]", "a\\"):
        put(store, frame(["x"], 1.0), view=view)
    for view in ("a*", "a[b]", "a\\"):
        assert reading(redis.url).count(view) == 1
        assert store.forget(view) == 1
    assert reading(redis.url).count("ab") == 1


def test_a_redis_that_is_gone_or_none_is_told_by_its_setting(redis: RedisServer) -> None:
    put(row_store(redis.url), frame(["a"], 1.0))
    reader = reading(redis.url)
    redis.stop()
    try:
        with pytest.raises(ConfigError, match="RECSYS_ONLINE_URL"):
            reader.read("member", ["a"])
        with pytest.raises(ConfigError, match="RECSYS_ONLINE_URL"):
            put(row_store(redis.url), frame(["a"], 1.0))
    finally:
        redis.start()
    with pytest.raises(MissingError, match="recsys materialize"):
        reader.read("member", ["a"])
    for url in ("127.0.0.1:6379", "http://127.0.0.1"):
        with pytest.raises(ConfigError, match="RECSYS_ONLINE_URL"):
            row_store(url)


def test_a_reader_needs_no_feast() -> None:
    modules = "recsys.store.online, recsys.store.packed_redis"
    code = f"import sys, {modules}; sys.exit(bool({{'feast', 'bentoml', 'mlflow'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
