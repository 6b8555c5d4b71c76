from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.config import Home
from recsys.core.errors import MissingError
from recsys.core.frames import Rows
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from recsys.features.build import SnapshotFolder, build_snapshot, read_keys, read_rows
from recsys.features.catalog import features_of
from recsys.models.catalog import CATALOG
from recsys.store.packed import PackedReader
from tests.feast_join import historical_rows
from tests.shop import at, make_frames, store
from training.feature_store import apply, feature_store, materialize

DAYS = 240
CUTS = (DAYS - 56, DAYS - 28, DAYS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A shop whose definitions Feast knows, which takes most of the time of these tests."""
    home = Home(tmp_path_factory.mktemp("feast home"))
    assert apply(home)
    return home


@pytest.fixture(scope="module")
def tables(home: Home) -> Tables:
    frames = make_frames(days=DAYS)
    frames["members"].loc[frames["members"].index[:3], "consent_personalised"] = False
    return store(home.root, frames)


@pytest.fixture(scope="module")
def cutoffs(home: Home, tables: Tables) -> tuple[AsOf, ...]:
    days = tuple(tables.end.plus(days=cut - DAYS) for cut in CUTS)
    for day in days:
        build_snapshot(tables.at(day), home.snapshots)
    return days


def direct(home: Home, name: str, as_of: AsOf) -> Rows:
    return read_rows(SnapshotFolder.open(home.snapshots, as_of), CATALOG[name].task)


def through_feast(home: Home, task: Task, as_of: AsOf) -> Rows:
    return historical_rows(home, task, as_of, read_keys(SnapshotFolder.open(home.snapshots, as_of), task))


def assert_same(got: Rows, want: Rows) -> None:
    assert (got.task, got.as_of, got.specs) == (want.task, want.as_of, want.specs)
    pd.testing.assert_frame_equal(got.keys, want.keys)
    numbers = {spec.name: "float32" for spec in want.specs if spec.kind == "number"}
    pd.testing.assert_frame_equal(got.values.astype(numbers), want.values.astype(numbers), check_exact=True)
    for spec in got.specs:
        if spec.kind == "category":
            column = got.values[spec.name]
            assert column.map(lambda value: value is None or isinstance(value, str)).all()


def test_feast_knows_the_definitions_until_they_change(home: Home) -> None:
    assert not apply(home)
    with feature_store(home) as feast:
        assert {view.name for view in feast.list_feature_views()} == set(View)
        assert {service.name for service in feast.list_feature_services()} == {*CATALOG, "serving"}
        for view in View:
            known = feast.get_feature_view(view.value)
            assert [field.name for field in known.features] == [spec.name for spec in features_of(view)]
            assert known.join_keys == list(view.keys)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_rows_through_feast_are_the_rows_of_the_snapshot(home: Home, cutoffs: tuple[AsOf, ...], name: str) -> None:
    task = CATALOG[name].task
    for as_of in cutoffs:
        want = direct(home, name, as_of)
        assert len(want) > 0
        assert_same(through_feast(home, task, as_of), want)
    drawn = want.take(np.arange(len(want)) % 3 == 0)
    assert_same(historical_rows(home, task, cutoffs[-1], drawn.keys), drawn)


def test_the_comparison_sees_unknown_numbers_and_texts(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    values = direct(home, "recommend", cutoffs[-1]).values
    assert values.select_dtypes("number").isna().to_numpy().any()
    assert values.select_dtypes(object).isna().to_numpy().any()


def test_a_task_without_rows_has_none(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    task = replace(CATALOG["churn"].task, where="false")
    assert_same(through_feast(home, task, cutoffs[0]), read_rows(SnapshotFolder.open(home.snapshots, cutoffs[0]), task))


def test_a_day_without_snapshot_says_which_step_is_missing(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    with pytest.raises(MissingError, match="recsys features"):
        through_feast(home, CATALOG["churn"].task, cutoffs[0].plus(days=1))
    with pytest.raises(MissingError, match="recsys features"):
        materialize(home, cutoffs[0].plus(days=1))


def test_a_row_of_an_older_snapshot_never_stands_in(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    keys = direct(home, "churn", cutoffs[0]).keys
    with feature_store(home) as feast:
        service = feast.get_feature_service("churn")
        for late, known in ((timedelta(0), True), (timedelta(hours=23), False), (timedelta(hours=-1), False)):
            entities = keys.assign(event_timestamp=pd.Timestamp(cutoffs[0].instant + late))
            values = feast.get_historical_features(entities, features=service).to_df()
            assert values["days_since_purchase"].notna().all() == known
            assert values["days_since_purchase"].notna().any() == known


@pytest.fixture
def with_corrections(home: Home, cutoffs: tuple[AsOf, ...]) -> Iterator[None]:
    """The first cutoff's members once more, changed, with a created time a week later, as a backfill leaves them."""
    first = SnapshotFolder.open(home.snapshots, cutoffs[0]).read(View.MEMBER)
    later = first.assign(
        days_since_purchase=first["days_since_purchase"] + 1000,
        created_timestamp=first["created_timestamp"] + timedelta(days=7),
    )
    folder = home.snapshots / f"as_of={cutoffs[0].plus(days=7)}"
    folder.mkdir()
    file = folder / "member.parquet"
    later.to_parquet(file, index=False)
    yield
    file.unlink()
    folder.rmdir()


@pytest.mark.usefixtures("with_corrections")
def test_a_value_that_was_corrected_later_does_not_leak(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    want = direct(home, "churn", cutoffs[0])
    assert_same(through_feast(home, want.task, cutoffs[0]), want)
    entities = want.keys.assign(event_timestamp=pd.Timestamp(cutoffs[0].instant))
    with feature_store(home) as feast:
        careless = feast.get_historical_features(entities, features=feast.get_feature_service("churn")).to_df()
    assert (careless["days_since_purchase"] >= 1000).all()


def test_a_snapshot_that_is_rebuilt_with_newer_data_says_the_same(
    home: Home, cutoffs: tuple[AsOf, ...], tmp_path: Path
) -> None:
    frames = make_frames(days=DAYS)
    cut = CUTS[0] - 28
    known = {**frames, "orders": frames["orders"][frames["orders"]["ordered_at"] < at(cut, 0)]}
    rows: list[Rows] = []
    for stage in (known, frames):
        build_snapshot(store(tmp_path, stage).at(cutoffs[0].plus(days=-28)), home.snapshots)
        rows.append(through_feast(home, CATALOG["churn"].task, cutoffs[0].plus(days=-28)))
    assert len(rows[0]) > 0
    assert_same(*rows)


def online(home: Home, members: list[str]) -> dict[str, list[object]]:
    with feature_store(home) as feast:
        service = feast.get_feature_service("serving")
        answer: dict[str, list[object]] = feast.get_online_features(
            service, [{"member_id": member} for member in members]
        ).to_dict()
    return answer


def test_the_packed_reader_and_feast_answer_alike(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    last = SnapshotFolder.open(home.snapshots, cutoffs[-1]).read(View.MEMBER)
    assert materialize(home, cutoffs[-1]) == len(last) > 0
    asked = [*last["member_id"], "nobody"]
    read = PackedReader(home.online).read("member", asked)
    assert read.found.tolist() == [True] * len(last) + [False]
    answer = online(home, asked)
    assert set(answer) == {"member_id", *(spec.name for spec in features_of(View.MEMBER))}
    nulls = 0
    for spec in features_of(View.MEMBER):
        column = read.column(spec.name)
        assert column == answer[spec.name]
        assert column == [*(None if pd.isna(value) else value for value in last[spec.name]), None]
        nulls += sum(value is None for value in column[:-1])
    assert nulls > 0
    assert (read.event_time[:-1] == np.datetime64(cutoffs[-1].instant.replace(tzinfo=None))).all()


def test_who_opted_out_is_not_online(home: Home, tables: Tables, cutoffs: tuple[AsOf, ...]) -> None:
    materialize(home, cutoffs[-1])
    with tables.connect() as connection:
        rows = connection.execute("SELECT member_id FROM members WHERE NOT consent_personalised").fetchall()
    read = PackedReader(home.online).read("member", [member for (member,) in rows])
    assert len(read) >= 3
    assert not read.found.any()


def test_an_older_day_does_not_go_online_over_a_newer_one(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    rows = materialize(home, cutoffs[-1])
    newest = np.datetime64(cutoffs[-1].instant.replace(tzinfo=None))
    members = SnapshotFolder.open(home.snapshots, cutoffs[-1]).read(View.MEMBER)["member_id"].tolist()
    assert materialize(home, cutoffs[0]) >= rows
    assert (PackedReader(home.online).read("member", members).event_time == newest).all()
    assert materialize(home, cutoffs[-1]) == rows


def test_who_left_the_snapshot_leaves_the_store(home: Home, cutoffs: tuple[AsOf, ...]) -> None:
    materialize(home, cutoffs[-1])
    with feature_store(home) as feast:
        stranger = SnapshotFolder.open(home.snapshots, cutoffs[0]).read(View.MEMBER).head(1)
        feast.write_to_online_store("member", stranger.assign(member_id="left"))
    reader = PackedReader(home.online)
    assert reader.read("member", ["left"]).found.all()
    rows = materialize(home, cutoffs[-1])
    assert not reader.read("member", ["left"]).found.any()
    assert reader.count("member") == rows
