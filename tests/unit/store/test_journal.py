import shutil
from pathlib import Path

import lmdb
import pytest
from sqlalchemy import Engine, text

from recsys.core.config import Home
from recsys.core.errors import ArtifactError
from recsys.store import live_layout
from recsys.store.database import database
from recsys.store.events import EventType
from recsys.store.journal import CHUNK, Journal
from recsys.store.live import NOTHING, LiveReader
from tests.unit.store.made import DAY, NOW, ZONE, did, event, level, names


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def journal(engine: Engine, home: Home) -> Journal:
    journal = Journal(engine, home.live)
    level(journal)
    return journal


@pytest.fixture
def reader(home: Home) -> LiveReader:
    return LiveReader(home.live)


class TestFromTheLog:
    """The live store is the log folded from the front, whatever happens to it."""

    def fill(self, journal: Journal, n: int = 40) -> None:
        kinds = [EventType.VIEW, EventType.CART, EventType.PURCHASE, EventType.IMPRESSION, EventType.CLICK]
        journal.record(
            [
                event(f"e{i}", kinds[i % 5], f"p{i * 7 % 11}", ago=i * 13 % 97, member=f"m{i % 3}", recommendation="r")
                for i in range(n)
            ],
            ZONE,
        )
        journal.restock({"p1": 3, "p2": 0}, NOW)

    def told(self, home: Home) -> object:
        reader = LiveReader(home.live)
        return [did(reader, f"m{n}") for n in range(3)], reader.stock(), reader.stock_version()

    def test_it_is_made_anew_when_it_is_gone(self, journal: Journal, home: Home) -> None:
        self.fill(journal)
        before = self.told(home)
        shutil.rmtree(home.live)
        level(journal)
        assert self.told(home) == before

    def test_it_is_made_anew_in_parts(self, journal: Journal, home: Home) -> None:
        self.fill(journal, CHUNK * 2 + 1)
        before = self.told(home)
        shutil.rmtree(home.live)
        assert journal.follow(ZONE)
        assert self.told(home) != before
        level(journal)
        assert self.told(home) == before

    def test_what_a_journal_that_died_left_out_is_laid_over(
        self, journal: Journal, engine: Engine, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fill(journal)

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "_lay", die)
            with pytest.raises(KeyboardInterrupt):
                journal.record([event("lost", product="x", member="m1")], ZONE)
        reader = LiveReader(home.live)
        assert "x" not in names(did(reader, "m1").viewed)
        other = Journal(engine, home.live)
        other.record([event("next", product="y", member="m1")], ZONE)
        level(other)
        assert {"x", "y"} <= set(names(did(reader, "m1").viewed))

    def test_a_store_of_another_log_is_emptied(self, journal: Journal, home: Home, tmp_path: Path) -> None:
        self.fill(journal)
        with database(f"sqlite:///{tmp_path / 'other.db'}") as other:
            journal = Journal(other, home.live)
            journal.record([event("e", product="x", member="m1")], ZONE)
            level(journal)
        reader = LiveReader(home.live)
        assert did(reader, "m0") == NOTHING
        assert names(did(reader, "m1").viewed) == ["x"]
        assert reader.stock() == {}

    def test_a_store_of_an_earlier_boot_is_not_read(self, journal: Journal, home: Home, tmp_path: Path) -> None:
        folder, sync = live_layout.place(home.live)
        assert not sync
        boot = tmp_path / "boot"
        boot.write_text("another-boot\n")
        assert live_layout.place(home.live, boot) == (home.live / "another-boot", False)
        assert live_layout.place(home.live, tmp_path / "none") == (home.live / "written-through", True)
        assert folder.parent == home.live

    def test_a_broken_store_keeps_no_event_from_the_log_and_is_told_to_readers(
        self, engine: Engine, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder, _ = live_layout.place(home.live)
        folder.mkdir(parents=True)
        (folder / "data.mdb").write_bytes(b"x" * 8192)
        journal = Journal(engine, home.live)
        for n in range(2):
            assert journal.record([event(str(n))], ZONE).accepted == {str(n)}
        assert len([record for record in caplog.records if "cannot be written" in record.message]) == 1
        reader = LiveReader(home.live)
        with pytest.raises(ArtifactError):
            did(reader)
        with pytest.raises(ArtifactError):
            reader.stock_version()
        (folder / "data.mdb").unlink()
        level(journal)
        assert names(did(reader).viewed) == ["茶"]

    def test_a_store_that_fills_up_keeps_no_event_from_the_log(
        self, journal: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch, reader: LiveReader
    ) -> None:
        def full(*_: object) -> None:
            raise lmdb.MapFullError("full")

        journal.record([event("0", product="a")], ZONE)
        with monkeypatch.context() as patch:
            patch.setattr("recsys.store.journal.Fold.close", full)
            assert journal.record([event("1", product="b")], ZONE).accepted == {"1"}
        assert names(did(reader).viewed) == ["a"]
        level(journal)
        assert sorted(names(did(reader).viewed)) == ["a", "b"]

    def test_a_log_that_fails_records_nothing(self, journal: Journal, engine: Engine, reader: LiveReader) -> None:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE events RENAME TO away"))
        with pytest.raises(Exception, match=r"no such table|does not exist"):
            journal.record([event("1")], ZONE)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO events"))
        level(journal)
        assert did(reader) == NOTHING
        assert journal.record([event("1")], ZONE).accepted == {"1"}


class TestStock:
    def test_it_acts_both_ways_and_its_version_rises(self, journal: Journal, reader: LiveReader) -> None:
        versions = [journal.restock({"a": 0, "b": 5}, NOW), journal.restock({"a": 7}, NOW)]
        assert versions == [1, 2]
        assert reader.stock_version() == 2
        assert reader.stock() == {"a": 7, "b": 5}

    def test_what_was_told_before_an_instant_is_left_out(self, journal: Journal, reader: LiveReader) -> None:
        journal.restock({"a": 0}, NOW - 10)
        journal.restock({"b": 0}, NOW)
        assert reader.stock(NOW) == {"b": 0}

    @pytest.mark.parametrize("changes", [3, live_layout.CHANGES + 3])
    def test_a_reader_that_lags_catches_up(self, journal: Journal, home: Home, changes: int) -> None:
        reader = LiveReader(home.live)
        journal.restock({f"p{n}": n for n in range(20)}, NOW)
        assert len(reader.stock()) == 20
        for n in range(changes):
            journal.restock({f"p{n % 30}": 1000 + n}, NOW)
        assert reader.stock() == LiveReader(home.live).stock()
        assert reader.stock_version() == changes + 1

    def test_it_is_made_again_from_the_database(self, journal: Journal, home: Home, reader: LiveReader) -> None:
        journal.restock({"a": 1}, NOW)
        journal.restock({"b": 2}, NOW)
        assert reader.stock() == {"a": 1, "b": 2}
        shutil.rmtree(home.live)
        level(journal)
        assert LiveReader(home.live).stock() == {"a": 1, "b": 2}


def test_people_who_did_nothing_for_long_are_swept_out_and_the_others_stay(
    journal: Journal, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys.store.live_sweep.STEP", 7)
    for n in range(12):
        journal.record([event(f"e{n}", ago=n * 3 * DAY, member=f"m{n}")], ZONE)
    kinds = (EventType.IMPRESSION, EventType.CLICK)
    journal.record([event(kind, kind, member="met", ago=20 * DAY, recommendation="r") for kind in kinds], ZONE)
    journal.restock({"a": 1}, NOW - 400 * DAY)
    assert held(journal) == {*(f"dmm{n}" for n in range(10)), "dmmet", "smmet", "tmmet", "ka"}
    with monkeypatch.context() as patch:
        patch.setattr("recsys.store.journal.time.time", lambda: NOW + 9.5 * DAY)
        for _ in range(5):
            assert not journal.follow(ZONE)
    assert held(journal) == {*(f"dmm{n}" for n in range(7)), "dmmet", "ka"}


def test_a_value_that_nobody_could_read_is_swept_out(journal: Journal, reader: LiveReader) -> None:
    env = journal._env
    assert env is not None
    with env.begin(write=True) as txn:
        txn.put(live_layout.doings_name(live_layout.person("王芳", None)), b"[1]")
    journal.follow(ZONE)
    assert did(reader) is NOTHING


def held(journal: Journal) -> set[str]:
    """Return the names of what the live store holds of people and products."""
    env = journal._env
    assert env is not None
    with env.begin() as txn:
        return {bytes(name).decode() for name, _ in txn.cursor() if bytes(name[:1]) in (b"d", b"s", b"t", b"k")}
