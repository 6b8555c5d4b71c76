"""A day's rows scored in parts of any size, and what is published of them."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.folders import MANIFEST
from tests.shop import make_frames
from training import cli, score_rows
from training.examples import snapshot
from training.publish import CHALLENGER
from training.score import score
from training.score_files import SCORES, read_panel
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace

SETTINGS = """
timezone = "Asia/Shanghai"

[source]
folder = "export"

[training]
trains = 1
tests = 1
min_history = 56
keep = 7
launch_share = 0.25
launch_least = 3
KEPT

[tasks.churn]
horizon = 14
model = { linear_share = 0.0, booster = { rounds = 10, min_leaf = 5 } }

[tasks.repurchase]
horizon = 28
model = { booster = { rounds = 5 }, knots = [7, 14, 28] }

[tasks.value]
horizon = 28
model = { booster = { rounds = 10, min_leaf = 5 } }

[tasks.new_product.model]
booster = { rounds = 5, min_leaf = 5 }

[tasks.recommend.model]
booster = { rounds = 5, leaves = 7 }

[tasks.recommend_subcategory.model]
booster = { rounds = 5, leaves = 7 }
"""
TASKS = ("churn", "value", "repurchase", "new_product", "recommend", "recommend_subcategory")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a shop whose six models are in use."""
    root = tmp_path_factory.mktemp("shop")
    (root / "export").mkdir()
    for name, frame in make_frames(members=40, days=170).items():
        frame.to_parquet(root / "export" / f"{name}.parquet", index=False)
    with pytest.MonkeyPatch.context() as patch:
        run(root, patch, ("ingest",), ("train", "all", "--promote"))
    return root


def run(root: Path, patch: pytest.MonkeyPatch, *commands: tuple[str, ...], kept: str = "") -> None:
    """Run commands in the shop's folder; kept: a line of its settings."""
    (root / "recsys.toml").write_text(SETTINGS.replace("KEPT", kept), encoding="utf-8")
    patch.chdir(root)
    patch.setenv("RECSYS_HOME", str(root / "home"))
    for name in ("MLFLOW_TRACKING_URI", "RECSYS_DATABASE_URL"):
        patch.delenv(name, raising=False)
    for words in commands:
        patch.setattr("sys.argv", ["recsys", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code


def published(root: Path) -> Path:
    """Return the publication made, and forget it and the scores, so that the next one is made anew."""
    folder = Publication.open_current(root / "home" / "publications").folder
    (root / "home" / "publications" / "MADE_OF.json").unlink()
    for path in (root / "home" / "scores").glob(f"*/*/{MANIFEST}"):
        path.unlink()
    return folder


def test_parts_of_any_size_give_equal_scores_and_the_same_publication(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shop, monkeypatch, ("publish",))
    scores = {task: pq.read_table(next((shop / "home/scores" / task).glob("*")) / SCORES) for task in TASKS}
    panels = {task: read_panel(next((shop / "home/scores" / task).glob("*"))) for task in TASKS}
    whole = published(shop)
    for rows in (300, 2_000):
        monkeypatch.setattr(score_rows, "ROWS_AT_ONCE", rows)
        run(shop, monkeypatch, ("publish",))
        for task in TASKS:
            folder = next((shop / "home/scores" / task).glob("*"))
            assert pq.read_table(folder / SCORES).equals(scores[task]), task
            pd.testing.assert_frame_equal(read_panel(folder), panels[task])
        assert published(shop) == whole


def test_lists_and_launches_are_cut_and_the_panel_is_not(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(shop, monkeypatch, ("publish",))
    home = shop / "home"
    folder = next((home / "scores" / "recommend").glob("*"))
    listed, panel = pd.read_parquet(folder / SCORES), read_panel(folder)
    assert len(panel) > len(listed)
    best = panel.groupby("member_id")["score"].nlargest(7)
    assert best.groupby(level=0).min().le(listed.groupby("member_id")["score"].max()).all()
    publication = Publication.open_current(home / "publications")
    assert max(publication.recommend.start[1:] - publication.recommend.start[:-1]) == 7
    folder = next((home / "scores" / "new_product").glob("*"))
    told = json.loads((folder / MANIFEST).read_text())["launches"]
    kept = pd.read_parquet(folder / SCORES).groupby("product_id").size()
    for name, one in told.items():
        assert kept[name] == max(3, -(-one["scored"] // 4)) < one["scored"]
        row = publication.products.row(name)
        assert row is not None
        assert publication.product_numbers["launch_scored"][row] == one["scored"]
    published(shop)


def test_members_whose_pairs_no_snapshot_keeps_are_scored_as_if_it_did(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shop, monkeypatch, ("score", "recommend"), ("score", "new_product"))
    folders = [next((shop / "home/scores" / task).glob("*")) for task in ("recommend", "new_product")]
    stored = [pd.read_parquet(folder / SCORES) for folder in folders]
    for folder in folders:
        (folder / MANIFEST).unlink()
    run(shop, monkeypatch, ("score", "recommend"), ("score", "new_product"), kept="kept_members = 5")
    for folder, before in zip(folders, stored, strict=True):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / SCORES), before)


def test_a_publication_is_the_same_whether_or_not_pairs_are_kept(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(shop, monkeypatch, ("publish",))
    whole = published(shop)
    run(shop, monkeypatch, ("publish",), kept="kept_members = 5")
    assert published(shop) == whole


def test_models_of_one_task_that_look_ahead_differently_are_both_scored(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shop, monkeypatch, ("train", "recommend"), kept="[tasks.recommend]\nhorizon = 14")
    workspace = Workspace(Home(shop / "home"), Project.read(shop / "recsys.toml"), Screen())
    tried = workspace.tracking.alias("recommend", "challenger")
    assert tried is not None
    models = {"recommend": workspace.tracking.champion("recommend"), CHALLENGER: tried}
    folders = score(workspace, models, snapshot(workspace, workspace.tables.end), lambda name: None)
    champions, challengers = (pd.read_parquet(folders[name] / SCORES) for name in models)
    assert champions["member_id"].nunique() == challengers["member_id"].nunique() > 30
    assert not champions.equals(challengers)
