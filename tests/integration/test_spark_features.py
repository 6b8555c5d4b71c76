"""`recsys --engine spark` on a real cluster, over a shop with awkward values: the same as DuckDB from the same text."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from recsys.artifacts.bundle import ModelBundle, save_bundle
from recsys.core.config import Home
from recsys.core.frames import Example, Labels, TrainingSet
from recsys.core.task import View
from recsys.core.time import Window
from recsys.data.snapshot import Snapshot
from recsys.features.build import SnapshotFolder, build_snapshot, read_rows
from recsys.features.catalog import CATALOG, features_of
from recsys.features.spark.staging import stage_tables
from recsys.models.churn import TASK, ChurnConfig, ChurnTrainer
from tests.awkward import DAYS, MEMBERS, PRODUCTS, ZONE, awkward_frames
from tests.shop import START, store
from training import cli
from training.score import BUNDLE, scored
from training.score_files import SCORES
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace

SAME_WITHIN = 1e-9


@dataclass(frozen=True)
class Both:
    """One day of a shop as both engines compute it; the cluster's is that of the home."""

    home: Home
    snapshot: Snapshot
    duckdb: SnapshotFolder
    spark: SnapshotFolder


def run(home: Home, *words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_HOME", str(home.root))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr("sys.argv", ["recsys", *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def both(spark: SparkSession, spark_master: str, tmp_path_factory: pytest.TempPathFactory) -> Both:
    home = Home(tmp_path_factory.mktemp("商城") / "a home")
    tables = store(home.root, awkward_frames(), zone=ZONE)
    snapshot = tables.at(tables.first.plus(days=DAYS))
    assert run(home, "features", "--as-of", str(snapshot.as_of), "--engine", "spark", "--master", spark_master) == 0
    by_duckdb = build_snapshot(snapshot, tmp_path_factory.mktemp("duckdb"))
    return Both(home, snapshot, by_duckdb, SnapshotFolder.open(home.snapshots, snapshot.as_of))


def test_the_cluster_has_two_workers(spark: SparkSession) -> None:
    assert str(spark.sparkContext.master).startswith("spark://127.0.0.1:")
    folders = spark.sparkContext.parallelize(range(8), 8).map(lambda _: str(Path.cwd())).collect()
    assert len(set(folders)) == 2


@pytest.mark.parametrize("view", View)
def test_a_view_is_the_same_on_both_engines(both: Both, view: View) -> None:
    one, other = (pq.read_table(folder.path(view)) for folder in (both.duckdb, both.spark))
    assert other.schema == one.schema
    found, wanted = other.to_pandas(), one.to_pandas()
    assert len(wanted) == both.spark.manifest["rows"][view] > 10
    exact = [name for name in wanted if wanted[name].dtype != np.float64]
    assert set(exact) > {*view.keys, "event_timestamp"}
    pd.testing.assert_frame_equal(found[exact], wanted[exact], check_exact=True)
    for spec in features_of(view):
        if spec.kind == "number":
            values, truth = found[spec.name].to_numpy(), wanted[spec.name].to_numpy()
            np.testing.assert_array_equal(np.isnan(values), np.isnan(truth), err_msg=spec.name)
            whole = truth == np.rint(truth)
            np.testing.assert_array_equal(values[whole], truth[whole], err_msg=spec.name)
            np.testing.assert_allclose(values, truth, rtol=SAME_WITHIN, atol=0, err_msg=spec.name)


def test_the_shop_is_as_awkward_as_it_should_be(both: Both) -> None:
    """Every feature is told of somebody, and members, products and days that engines disagree on are among them."""
    views = {view: both.duckdb.read(view) for view in View}
    silent = [spec.name for spec in CATALOG if views[spec.view][spec.name].isna().all()]
    still = [spec.name for spec in CATALOG if views[spec.view][spec.name].nunique(dropna=False) < 2]
    assert (silent, still) == ([], [])
    assert set(MEMBERS) - {"ZOE"} <= set(views[View.MEMBER]["member_id"])
    assert "ZOE" not in set(views[View.MEMBER]["member_id"])
    assert set(PRODUCTS) <= set(views[View.PRODUCT]["product_id"])
    assert views[View.PRODUCT]["product_days_since_launch"].min() < 0
    assert views[View.MEMBER]["days_since_registration"].max() > (START.toordinal() - 719_163)
    assert views[View.MEMBER_PRODUCT]["is_launch"].sum() > 10
    assert views[View.MEMBER_CATEGORY]["stage_days_left"].nunique() >= 3


def test_what_is_learnt_of_products_is_the_same(both: Both) -> None:
    pd.testing.assert_frame_equal(both.spark.neighbours(), both.duckdb.neighbours(), check_exact=True)
    for name, values in vars(both.duckdb.factors()).items():
        np.testing.assert_array_equal(getattr(both.spark.factors(), name), values)


def test_nothing_but_the_snapshot_is_left_and_it_is_taken_for_duckdb_s_own(both: Both) -> None:
    assert {path.name for path in both.spark.folder.parent.iterdir()} == {both.spark.folder.name}
    assert {path.name for path in both.spark.folder.iterdir()} == {path.name for path in both.duckdb.folder.iterdir()}
    again = build_snapshot(both.snapshot, both.spark.folder.parent)
    assert again.manifest == both.spark.manifest


def test_a_snapshot_sees_the_same_on_both_engines(spark: SparkSession, both: Both, tmp_path: Path) -> None:
    """Visible rows of every table, also of those that a retailer does not bring."""
    frames = awkward_frames(members=3)
    tables = store(tmp_path, {name: frames[name] for name in ("orders", "products", "members")}, zone=ZONE)
    for snapshot in (both.snapshot, tables.at(tables.first.plus(days=60))):
        stage_tables(spark, snapshot)
        with snapshot.connect() as connection:
            for name in snapshot.relations(str):
                wanted = connection.execute(f"SELECT * FROM {name}").fetchall()
                found = [tuple(row) for row in spark.table(name).collect()]
                assert sorted(map(str, found)) == sorted(map(str, wanted))


def test_the_champion_scores_on_the_cluster_as_in_this_process(both: Both, spark_master: str, tmp_path: Path) -> None:
    rows = read_rows(both.duckdb, TASK)
    drawn = pd.DataFrame({"y": np.random.default_rng(3).random(len(rows)) < 0.4}).astype(float)
    example = Example(rows, Labels(drawn, Window.after(rows.as_of, days=TASK.horizon)))
    config = ChurnConfig(linear_share=0.5)
    config = config.model_copy(update={"booster": config.booster.model_copy(update={"rounds": 10, "min_leaf": 2})})
    model = ChurnTrainer(config).fit(TrainingSet((example,)))
    bundle = ModelBundle(TASK, model, config, rows.specs, both.snapshot.digest, (rows.as_of,), {}, "0")
    save_bundle(bundle, tmp_path / BUNDLE)
    workspace = Workspace(both.home, Project(), Screen())
    version = workspace.tracking.log(TASK.name, tmp_path, {}, {"auc": 0.5}, {}).version
    workspace.tracking.set_champion(TASK.name, version)
    day = str(rows.as_of)
    assert run(both.home, "score", "churn", "--as-of", day, "--engine", "spark", "--master", spark_master) == 0
    found = pd.read_parquet(both.home.scores / "churn" / f"as_of={day}" / SCORES)
    wanted = scored(replace(bundle, model=model), rows)
    assert len(found) == len(wanted) > 20
    assert wanted["score"].nunique() > 10
    pd.testing.assert_frame_equal(found[["member_id", "score"]], wanted[["member_id", "score"]], rtol=1e-12)
    assert [list(why) for why in found["why"]] == wanted["why"].tolist()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--engine", "flink"), 2, "'flink' is none of duckdb, spark"),
        (("--engine", "spark"), 2, "spark://host:7077"),
        (("--master", "spark://host:7077"), 2, "--engine spark"),
    ],
)
def test_an_engine_that_cannot_be_is_refused_by_its_name(
    words: tuple[str, ...], code: int, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for command in ("features", "score"):
        assert run(Home(tmp_path), command, *words) == code
        assert said in capfd.readouterr().err


def test_without_pyspark_the_command_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("recsys.features.spark.session.find_spec", lambda _: None)
    assert run(Home(tmp_path), "features", "--engine", "spark", "--master", "spark://nowhere:1") == 4
    assert "recsys[spark]" in capfd.readouterr().err
