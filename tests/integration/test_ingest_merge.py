"""Ingesting again, adding days, and crashing half-way."""

import fcntl
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from recsys.core.config import Home
from recsys.core.errors import ArtifactError, ConfigError
from recsys.data import ingest as door
from recsys.data.mapping import FilesSource, IngestConfig
from recsys.data.schema import SCHEMA
from recsys.data.tables import Tables
from tests.shop import Frames, make_frames

LATEST = datetime(2030, 1, 1, tzinfo=UTC)


def config(folder: Path, *, zone: str = "Asia/Shanghai") -> IngestConfig:
    return IngestConfig(timezone=zone, latest=LATEST, source=FilesSource(folder=folder))


def write(folder: Path, frames: Frames) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


def load(folder: Path, home: Home) -> door.IngestReport:
    return door.ingest(config(folder), home, lambda _step, _done, _total: None)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def frames() -> Frames:
    return {name: frame for name, frame in make_frames(members=20, days=60).items() if name in SCHEMA}


def test_a_whole_shop_comes_through(tmp_path: Path, home: Home, frames: Frames) -> None:
    report = load(write(tmp_path / "all", frames), home)
    assert {table.table: table.kept for table in report.tables} == {name: len(frame) for name, frame in frames.items()}
    assert [table.bad for table in report.tables] == [0] * 8
    assert not report.unchanged


def test_the_same_again_changes_nothing(tmp_path: Path, home: Home, frames: Frames) -> None:
    folder = write(tmp_path / "all", frames)
    load(folder, home)
    before = Tables.open(home.tables)
    again = load(folder, home)
    assert again.unchanged
    assert Tables.open(home.tables) == before


def test_order_of_rows_and_files_does_not_matter_to_the_digest(tmp_path: Path, frames: Frames) -> None:
    mixed = {name: frame.sample(frac=1, random_state=1) for name, frame in frames.items()}
    digests = []
    for name, content in (("straight", frames), ("mixed", mixed)):
        load(write(tmp_path / name, content), Home(tmp_path / f"home-{name}"))
        digests.append(Tables.open(Home(tmp_path / f"home-{name}").tables).digest)
    assert digests[0] == digests[1]


def test_days_added_later_give_what_all_at_once_gives(tmp_path: Path, home: Home, frames: Frames) -> None:
    orders = frames["orders"]
    cut = pd.Timestamp("2024-02-01")
    early = {**frames, "orders": orders[orders["ordered_at"] < cut]}
    overlapping = {"orders": orders[orders["ordered_at"] >= cut - pd.Timedelta(days=7)]}
    load(write(tmp_path / "early", early), home)
    assert Tables.open(home.tables).end.day.isoformat() == "2024-02-02"
    load(write(tmp_path / "late", overlapping), home)
    whole = Home(tmp_path / "whole")
    load(write(tmp_path / "all", frames), whole)
    assert Tables.open(home.tables).digest == Tables.open(whole.tables).digest


def test_an_order_that_comes_again_replaces_all_its_lines(tmp_path: Path, home: Home, frames: Frames) -> None:
    orders = frames["orders"]
    order = orders["order_id"].value_counts().index[0]
    load(write(tmp_path / "all", frames), home)
    mended = orders[orders["order_id"] == order].head(1).assign(quantity=9.0)
    load(write(tmp_path / "mended", {"orders": mended}), home)
    with Tables.open(home.tables).connect() as connection:
        assert connection.execute("SELECT quantity FROM orders WHERE order_id = ?", [order]).fetchall() == [(9.0,)]
        rest = connection.execute("SELECT count(*) FROM orders WHERE order_id <> ?", [order]).fetchall()[0][0]
    assert rest == (orders["order_id"] != order).sum()


def test_an_order_whose_time_was_mended_is_not_there_twice(tmp_path: Path, home: Home, frames: Frames) -> None:
    orders = frames["orders"]
    load(write(tmp_path / "all", {"orders": orders}), home)
    load(
        write(tmp_path / "later", {"orders": orders.assign(ordered_at=orders["ordered_at"] + pd.Timedelta("8h"))}), home
    )
    with Tables.open(home.tables).connect() as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(len(orders),)]


def test_what_comes_back_of_an_order_leaves_what_was_bought(tmp_path: Path, home: Home, frames: Frames) -> None:
    bought = frames["orders"][~frames["orders"]["is_return"]]
    back = bought.head(1).assign(is_return=True, ordered_at=bought["ordered_at"].max())
    other = bought.head(1).assign(member_id="somebody else")
    for number, part in enumerate((bought, back, other, back)):
        load(write(tmp_path / str(number), {"orders": part}), home)
    with Tables.open(home.tables).connect() as connection:
        counts = connection.execute("SELECT is_return, count(*) FROM orders GROUP BY 1 ORDER BY 1").fetchall()
    assert counts == [(False, len(bought) + 1), (True, 1)]


def test_equal_lines_of_one_order_are_all_kept(tmp_path: Path, home: Home, frames: Frames) -> None:
    twice = pd.concat([frames["orders"].head(3)] * 2)
    report = load(write(tmp_path / "twice", {"orders": twice}), home)
    assert report.tables[0].kept == 6


def test_newer_members_replace_older_ones_and_never_the_other_way(tmp_path: Path, home: Home, frames: Frames) -> None:
    def members(tier: str, day: str | None) -> Frames:
        row = {"member_id": ["m"], "tier": [tier], "updated_at": pd.Series([day], dtype="datetime64[ns]")}
        return {"orders": frames["orders"], "members": pd.DataFrame(row)}

    seen = []
    for number, (tier, day) in enumerate([("a", "2024-02-01"), ("b", "2024-03-01"), ("c", "2024-01-01"), ("d", None)]):
        load(write(tmp_path / str(number), members(tier, day)), home)
        with Tables.open(home.tables).connect() as connection:
            seen += connection.execute("SELECT tier FROM members").fetchall()
    assert seen == [("a",), ("b",), ("b",), ("d",)]


def test_a_crash_leaves_the_last_good_tables(
    tmp_path: Path, home: Home, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(write(tmp_path / "all", frames), home)
    before = Tables.open(home.tables)

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("recsys.core.folders.write_text", full)
    with pytest.raises(OSError, match="no space"):
        load(write(tmp_path / "more", {"orders": frames["orders"].assign(quantity=7.0)}), home)
    monkeypatch.undo()
    assert Tables.open(home.tables) == before
    assert not list(home.root.glob(".ingest-*"))
    load(tmp_path / "more", home)
    assert Tables.open(home.tables).digest != before.digest


def test_stored_tables_that_were_altered_are_not_built_upon(tmp_path: Path, home: Home, frames: Frames) -> None:
    folder = write(tmp_path / "all", frames)
    load(folder, home)
    with (Tables.open(home.tables).folder / "orders.parquet").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ArtifactError, match=r"orders\.parquet"):
        load(folder, home)


def test_only_the_generation_before_is_kept(tmp_path: Path, home: Home, frames: Frames) -> None:
    folders = []
    for quantity in (1.0, 2.0, 3.0):
        load(write(tmp_path / "all", {"orders": frames["orders"].assign(quantity=quantity)}), home)
        folders.append(Tables.open(home.tables).folder)
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_another_time_zone_is_refused(tmp_path: Path, home: Home, frames: Frames) -> None:
    folder = write(tmp_path / "all", frames)
    load(folder, home)
    with pytest.raises(ConfigError, match="the stored tables cut days in Asia/Shanghai, not UTC"):
        door.ingest(config(folder, zone="UTC"), home, lambda _step, _done, _total: None)


def test_progress_ends_where_it_says(tmp_path: Path, home: Home, frames: Frames) -> None:
    steps: list[tuple[str, int, int]] = []
    door.ingest(config(write(tmp_path / "all", frames)), home, lambda *step: steps.append(step))
    lines = len(frames["orders"])
    assert steps[:2] == [("read orders", 0, 0), ("check orders", lines, lines)]
    assert steps[-1] == ("store tables", 1, 1)


def test_a_sample_and_own_data_never_meet(tmp_path: Path, home: Home, frames: Frames) -> None:
    own = config(write(tmp_path / "all", frames))
    sample = own.model_copy(update={"origin": "corner-shop"})

    def run(chosen: IngestConfig, at: Home) -> None:
        door.ingest(chosen, at, lambda _step, _done, _total: None)

    run(sample, home)
    run(sample, home)
    assert Tables.open(home.tables).origin == "corner-shop"
    with pytest.raises(ConfigError, match=r"holds sample corner-shop; for a retailer's own data set RECSYS_HOME"):
        run(own, home)
    other = Home(tmp_path / "other")
    run(own, other)
    with pytest.raises(ConfigError, match="holds a retailer's own data; for sample corner-shop set RECSYS_HOME"):
        run(sample, other)


def test_only_one_run_at_a_time_works_in_a_home(tmp_path: Path, home: Home, frames: Frames) -> None:
    folder = write(tmp_path / "all", frames)
    home.tables.mkdir(parents=True)
    with (home.tables / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another ingestion is running"):
            load(folder, home)
    load(folder, home)


def test_what_a_killed_run_left_is_cleared_and_what_others_have_aside_is_not(
    tmp_path: Path, home: Home, frames: Frames
) -> None:
    left, others = (home.root / ".ingest-dead", home.tables / ".tables-dead"), home.tables / ".somebody"
    for folder in (*left, others):
        folder.mkdir(parents=True)
    load(write(tmp_path / "all", frames), home)
    assert [folder.exists() for folder in (*left, others)] == [False, False, True]
