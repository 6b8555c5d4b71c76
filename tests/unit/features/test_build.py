from importlib import metadata
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import ArtifactError, MissingError
from recsys.core.task import Task, View
from recsys.data.tables import Tables
from recsys.features import build
from recsys.features.build import SnapshotFolder, build_snapshot, code_digest, read_rows
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.catalog import CATALOG, features_of
from recsys.features.collaborative import CollaborativeConfig
from recsys.features.expression import NEVER, aggregates
from tests.shop import at, make_frames, make_shop, store
from tests.tasks import RECOMMEND, REPURCHASE

CHURN = Task("churn", 56, ("member_id",), (View.MEMBER,), "days_since_purchase < 84", ("score",), "auc")
SUBCATEGORIES = Task(
    "recommend_subcategory",
    28,
    ("member_id", "subcategory"),
    (View.MEMBER_SUBCATEGORY, View.SUBCATEGORY, View.MEMBER),
    "true",
    ("score",),
    "ndcg",
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=30, days=150, seed=1)


@pytest.fixture(scope="module")
def folder(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> SnapshotFolder:
    return build_snapshot(tables.at(tables.end), tmp_path_factory.mktemp("snapshots"))


def test_two_builds_are_the_same_bytes(tables: Tables, folder: SnapshotFolder, tmp_path: Path) -> None:
    again = build_snapshot(tables.at(tables.end), tmp_path)
    assert again.manifest["files"] == folder.manifest["files"]


def test_the_number_of_threads_moves_nothing(tables: Tables, folder: SnapshotFolder, tmp_path: Path) -> None:
    shipped = CandidateConfig()
    one = {
        level: getattr(shipped, level).model_copy(update={"collaborative": CollaborativeConfig(threads=1)})
        for level in ("product", "subcategory")
    }
    again = build_snapshot(tables.at(tables.end), tmp_path, candidates=shipped.model_copy(update=one))
    assert again.manifest["files"] == folder.manifest["files"]


def test_columns_are_keys_features_and_stamps(folder: SnapshotFolder) -> None:
    for view in View:
        frame = folder.read(view)
        names = [spec.name for spec in features_of(view)]
        assert list(frame) == [*view.keys, *names, "event_timestamp", "created_timestamp"]
        assert not frame.duplicated(list(view.keys)).any()
        assert folder.manifest["rows"][view] == len(frame)
        assert set(frame["event_timestamp"]) == {pd.Timestamp(folder.as_of.instant)}
        for spec in features_of(view):
            assert frame[spec.name].dtype == (np.dtype(object) if spec.kind == "category" else np.dtype(float))


def test_what_is_never_null_is_never_null(folder: SnapshotFolder) -> None:
    for spec in CATALOG:
        if spec.null_meaning == NEVER:
            assert folder.read(spec.view)[spec.name].notna().all(), spec.name


def test_a_source_makes_one_value_of_many_rows_in_all_its_features_or_in_none() -> None:
    for source in {(spec.view, spec.source) for spec in CATALOG}:
        kinds = {aggregates(spec.sql) for spec in CATALOG if (spec.view, spec.source) == source}
        assert len(kinds) == 1, source


def test_numbers_are_finite_or_unknown(folder: SnapshotFolder) -> None:
    for spec in CATALOG:
        if spec.kind == "number":
            values = folder.read(spec.view)[spec.name]
            assert np.isfinite(values.dropna()).all(), spec.name


def test_an_unchanged_snapshot_is_reused(tables: Tables, tmp_path: Path) -> None:
    first = build_snapshot(tables.at(tables.end), tmp_path)
    written = first.path(View.MEMBER).stat().st_mtime_ns
    assert build_snapshot(tables.at(tables.end), tmp_path).path(View.MEMBER).stat().st_mtime_ns == written
    other = CandidateConfig(product=LevelConfig(history=3, frequency=3, each=2, near=2, als=2, popular=2, kin=2))
    again = build_snapshot(tables.at(tables.end), tmp_path, candidates=other)
    assert again.path(View.MEMBER).stat().st_mtime_ns != written
    assert again.manifest["rows"]["member_product"] < first.manifest["rows"]["member_product"]


def test_an_altered_snapshot_is_refused_and_built_anew(tables: Tables, tmp_path: Path) -> None:
    first = build_snapshot(tables.at(tables.end), tmp_path)
    digests = first.manifest["files"]
    with first.path(View.CATEGORY).open("ab") as file:
        file.write(b"!")
    with pytest.raises(ArtifactError):
        SnapshotFolder.open(tmp_path, tables.end)
    assert build_snapshot(tables.at(tables.end), tmp_path).manifest["files"] == digests
    assert SnapshotFolder.open(tmp_path, tables.end).manifest["files"] == digests


def test_a_snapshot_that_was_not_built_is_missing(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="recsys features"):
        SnapshotFolder.open(tmp_path, tables.end)


def test_members_who_opted_out_have_no_rows(tables: Tables, folder: SnapshotFolder) -> None:
    with tables.connect() as connection:
        rows = connection.execute("SELECT member_id FROM members WHERE NOT consent_personalised").fetchall()
    out = {row[0] for row in rows}
    assert out
    for view in (View.MEMBER, View.MEMBER_CATEGORY, View.MEMBER_SUBCATEGORY, View.MEMBER_PRODUCT):
        assert not out & set(folder.read(view)["member_id"])
    assert not out & set(folder.factors().member_ids)


def test_only_orders_are_needed(tmp_path: Path) -> None:
    frames = make_frames(members=12, days=60)
    tables = store(tmp_path, {"orders": frames["orders"]})
    folder = build_snapshot(tables.at(tables.end), tmp_path / "snapshots")
    member = folder.read(View.MEMBER)
    assert len(member) == frames["orders"]["member_id"].nunique()
    assert member[["events_90d", "contacts_365d", "redemptions_365d"]].eq(0).all(axis=None)
    assert member[["days_since_event", "age_years", "tier", "launch_adoption_rate"]].isna().all(axis=None)
    assert folder.read(View.CATEGORY)["category"].tolist() == ["unknown"]
    assert folder.manifest["rows"]["member_product"] > 0


def test_a_member_with_one_purchase(tmp_path: Path) -> None:
    order = {
        "order_id": "1",
        "member_id": "only",
        "product_id": "thing",
        "ordered_at": at(10, 9),
        "quantity": 2.0,
        "amount": 0.0,
    }
    tables = store(tmp_path, {"orders": pd.DataFrame([order])})
    folder = build_snapshot(tables.at(tables.end.plus(days=4)), tmp_path / "snapshots")
    member, pair = folder.read(View.MEMBER).iloc[0], folder.read(View.MEMBER_PRODUCT).iloc[0]
    assert member["days_since_purchase"] == 5
    assert member[["mean_gap", "sd_gap", "weighted_gap", "overdue_ratio", "price_level"]].isna().all()
    assert pair[["own_product_purchase_days", "is_candidate", "own_product_source"]].tolist() == [1, 1, "history"]
    assert np.isnan(pair["own_product_als_score"])
    kind = folder.read(View.MEMBER_SUBCATEGORY).iloc[0]
    assert kind[["subcategory", "own_subcategory_purchase_days", "own_subcategory_source"]].tolist() == [
        "unknown",
        1,
        "history",
    ]
    assert len(folder.neighbours()) == 0
    assert len(folder.factors().member_ids) == 0


def test_before_the_first_order_there_are_no_pairs(tables: Tables, tmp_path: Path) -> None:
    folder = build_snapshot(tables.at(tables.first), tmp_path)
    for view in (View.MEMBER_CATEGORY, View.MEMBER_SUBCATEGORY, View.MEMBER_PRODUCT):
        assert folder.manifest["rows"][view] == 0
    assert len(read_rows(folder, RECOMMEND)) == 0
    assert len(read_rows(folder, CHURN)) == 0


@pytest.mark.parametrize("task", [CHURN, REPURCHASE, RECOMMEND, SUBCATEGORIES], ids=lambda task: task.name)
def test_rows_join_views_on_their_keys(folder: SnapshotFolder, task: Task) -> None:
    rows = read_rows(folder, task)
    first = folder.read(task.views[0])
    with duckdb.connect() as connection:
        connection.register("first", first)
        count = connection.execute(f"SELECT count(*) FROM first WHERE {task.where}").fetchone()
    assert len(rows) == (count or [0])[0] > 0
    assert not rows.keys.duplicated().any()
    assert rows.keys.equals(rows.keys.sort_values(list(task.keys), ignore_index=True))
    assert rows.specs == tuple(spec for view in task.views for spec in features_of(view))
    assert list(rows.values) == [spec.name for spec in rows.specs]
    wanted = rows.keys.copy()
    for view in task.views:
        frame = folder.read(view).drop(columns=["event_timestamp", "created_timestamp"])
        wanted = wanted.merge(frame, on=list(view.keys), how="left")
    kept = wanted[[spec.name for spec in rows.specs]]
    kept = kept.astype({spec.name: "float32" for spec in rows.specs if spec.kind == "number"})
    pd.testing.assert_frame_equal(rows.values, kept, check_exact=True)


def test_a_repeat_category_is_the_category_s_own_share(folder: SnapshotFolder) -> None:
    pairs = folder.read(View.MEMBER_CATEGORY).merge(folder.read(View.CATEGORY), on="category")
    assert pairs["is_repeat_category"].eq(pairs["category_repeat_share"] >= 0.2).all()
    assert pairs["is_repeat_category"].nunique() == 2


def test_features_are_others_when_a_library_or_what_is_visible_is(monkeypatch: pytest.MonkeyPatch) -> None:
    digest, real = code_digest(), metadata.version
    assert code_digest() == digest
    for name in ("duckdb", "implicit", "scipy"):
        with monkeypatch.context() as patch:
            patch.setattr(build, "version", lambda asked, name=name: "next" if asked == name else real(asked))
            patched = code_digest()
        assert patched != digest
    for name in ("engine.py", "schema.py", "snapshot.py"):
        with monkeypatch.context() as patch:
            patch.setattr(build, "VISIBILITY", tuple(other for other in build.VISIBILITY if other != name))
            assert code_digest() != digest
