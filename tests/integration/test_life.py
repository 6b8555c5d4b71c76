"""Night after night by the command alone: new days, a crash, a refusal, a rollback, and what drift says of it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.models.catalog import CATALOG
from recsys.models.spaces import flat
from recsys.store.database import database
from recsys.store.promotions import history
from tests.shop import START, at, make_frames
from training import cli
from training.processes import tool

FIRST, THEN, LAST = 165, 200, 201
Command = Callable[..., tuple[int, str]]


class Shop:
    """A retailer's working folder, whose export grows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root / "home")
        self.frames = make_frames(members=60, days=LAST)
        (root / "export").mkdir()
        for name in ("members", "products"):
            self.frames[name].to_parquet(root / "export" / f"{name}.parquet", index=False)

    def export(self, day: int) -> None:
        """Export the orders of the days before this one; somebody buys something on the last of them."""
        orders = self.frames["orders"]
        kept = orders[pd.to_datetime(orders["ordered_at"]) < at(day, 0)]
        last = kept.tail(1).assign(order_id=f"last-{day}", ordered_at=at(day - 1, 12))
        aside = self.root / "aside.parquet"
        pd.concat([kept, last]).to_parquet(aside, index=False)
        aside.replace(self.root / "export" / "orders.parquet")

    def settle(self, churn_leaf: int = 5) -> None:
        """Write recsys.toml with small models; leaves larger than the shop leave the churn model without a split."""
        lines = ['timezone = "Asia/Shanghai"', "[source]", 'folder = "export"', "[training]", "trains = 2"]
        lines += ["tests = 1", "min_history = 56", "keep = 30", "[retrain]", "publications = 2"]
        for name, recipe in CATALOG.items():
            lines += [f"[tasks.{name}]", f"horizon = {14 if name == 'churn' else 28}"]
            leaf = churn_leaf if name == "churn" else 5
            trees = {key.rpartition(".")[0] for key in flat(recipe.config()) if key.endswith(".rounds")}
            lines += ["[tasks.churn.model]", "linear_share = 0.0"] if name == "churn" else []
            lines += [f"[tasks.{name}.model.{tree}]\nrounds = 5\nmin_leaf = {leaf}" for tree in sorted(trees)]
        (self.root / "recsys.toml").write_text("\n".join(lines), encoding="utf-8")

    @property
    def publication(self) -> Publication:
        return Publication.open_current(self.home.publications)

    def day(self) -> int:
        """The day of the current publication, counted as `export` counts."""
        return (self.publication.as_of.day - START).days

    def champion(self, task: str) -> str:
        with database(self.home.database) as engine:
            return history(engine, task)[-1].version


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(tmp_path_factory.mktemp("商城"))
    made.settle()
    made.export(FIRST)
    return made


@pytest.fixture
def recsys(shop: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("RECSYS_HOME", str(shop.home.root))
    monkeypatch.setenv("RECSYS_USER", "王芳")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("RECSYS_DATABASE_URL", raising=False)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["recsys", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capfd.readouterr()
        code = caught.value.code
        return (int(code) if code is not None else 0), out + err

    return run


def test_the_first_night_trains_promotes_and_publishes_all(recsys: Command, shop: Shop) -> None:
    code, text = recsys("retrain")
    assert code == 0, text
    assert shop.day() == FIRST
    assert shop.publication.model_versions == dict.fromkeys(CATALOG, "1")
    assert "peak" in text


def test_a_night_without_news_says_so_and_does_nothing(recsys: Command, shop: Shop) -> None:
    before = {path: path.stat().st_mtime_ns for path in shop.home.publications.rglob("*")}
    code, text = recsys("retrain")
    assert code == 0
    assert "nothing new" in text
    assert "back-test" not in text
    assert {path: path.stat().st_mtime_ns for path in shop.home.publications.rglob("*")} == before


def test_the_first_drift_looks_back_to_the_day_that_was_tested(recsys: Command, shop: Shop) -> None:
    assert recsys("drift", "churn")[0] in (0, 7)
    (task,) = json.loads((shop.home.reports / "drift.json").read_text(encoding="utf-8"))["tasks"]
    assert task["then"] == str(shop.publication.as_of.plus(days=-28))
    assert (task["versions"], task["realised"]) == (["1", "1"], None)


def killed(shop: Shop, at_line: str, meanwhile: Callable[[int], None]) -> None:
    """Start a run, stop it when it has said something, do something meanwhile, and kill it."""
    log = shop.root / "killed.log"
    with log.open("w") as output:
        process = subprocess.Popen([tool("recsys"), "retrain"], stdout=output, stderr=output, cwd=shop.root)
        try:
            deadline = time.monotonic() + 400
            while at_line not in log.read_text(encoding="utf-8"):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGSTOP)
            meanwhile(process.pid)
        finally:
            process.kill()
            process.wait()


def test_a_run_that_is_killed_leaves_the_last_good_state_and_the_next_one_goes_on(recsys: Command, shop: Shop) -> None:
    shop.export(THEN)
    before = shop.publication.name

    def another(pid: int) -> None:
        code, text = recsys("retrain")
        assert code == 8, text
        assert str(pid) in text

    killed(shop, f"{list(CATALOG)[1]}: back-test", another)
    assert shop.publication.name == before
    killed(shop, "publish: ", lambda _pid: None)
    assert shop.day() == THEN
    code, text = recsys("retrain")
    assert code == 0, text
    assert "back-test" not in text
    assert shop.publication.model_versions == dict.fromkeys(CATALOG, "2")


def test_what_scores_foretold_is_judged_once_it_has_happened(recsys: Command, shop: Shop) -> None:
    code, text = recsys("drift", "churn")
    assert code in (0, 7), text
    report = json.loads((shop.home.reports / "drift.json").read_text(encoding="utf-8"))
    (task,) = report["tasks"]
    real = task["realised"]
    kept = pd.read_parquet(shop.home.scores / "churn" / f"as_of={real['day']}" / "scores.parquet")
    orders = shop.frames["orders"]
    day = pd.to_datetime(orders["ordered_at"])
    bought = orders[(day >= at(FIRST, 0)) & (day < at(FIRST + 14, 0)) & ~orders["is_return"]]
    left = ~kept["member_id"].isin(bought["member_id"])
    assert (real["day"], real["version"]) == (str(START + pd.Timedelta(days=FIRST))[:10], "1")
    assert real["value"]["value"] == pytest.approx(roc_auc_score(left, kept["score"]), abs=1e-6)
    assert real["rows"] == len(kept)
    assert (shop.home.reports / "realised_churn.html").exists()


def test_a_day_against_itself_has_not_moved_and_against_its_youth_it_has(recsys: Command, shop: Shop) -> None:
    today = str(shop.publication.as_of)
    recsys("drift", "all", "--against", today)
    report = json.loads((shop.home.reports / "drift.json").read_text(encoding="utf-8"))
    assert {task["task"] for task in report["tasks"]} == set(CATALOG)
    moved = [item["shift"]["psi"] for task in report["tasks"] for item in task["moved"]]
    assert len(moved) > 100
    assert max(moved) == 0
    code, text = recsys("drift", "churn", "--against", str(shop.publication.as_of.plus(days=-150)))
    assert code == 7, text
    assert "psi" in text
    page = (shop.home.reports / "drift.html").read_text(encoding="utf-8")
    assert "ALARM" in page


def test_a_refusal_and_a_rollback_leave_their_champions_on_the_new_day(recsys: Command, shop: Shop) -> None:
    assert recsys("rollback", "repurchase", "--why", "回到原来")[0] == 0
    shop.settle(churn_leaf=100_000)
    shop.export(LAST)
    code, text = recsys("retrain")
    assert code == 6, text
    assert "significantly worse" in text
    assert "rolled back" in text
    assert shop.day() == LAST
    assert shop.publication.model_versions == {**dict.fromkeys(CATALOG, "3"), "churn": "2", "repurchase": "1"}
    code, text = recsys("retrain")
    assert code == 0
    assert "nothing new" in text
    assert recsys("promote", "repurchase")[0] == 0
    assert shop.champion("repurchase") == "3"


def test_old_publications_and_snapshots_are_cleared_away(shop: Shop) -> None:
    kept = sorted(path.name for path in shop.home.publications.glob("[0-9]*"))
    assert len(kept) == 2
    assert shop.publication.name == kept[-1]
    days = {path.name for path in shop.home.snapshots.glob("as_of=*")}
    assert f"as_of={START + pd.Timedelta(days=FIRST)}"[:16] not in days
    assert f"as_of={shop.publication.as_of}" in days


def test_tables_that_are_refused_change_nothing(recsys: Command, shop: Shop) -> None:
    orders = shop.root / "export" / "orders.parquet"
    whole = pd.read_parquet(orders)
    before = shop.publication.name
    whole.assign(quantity=np.where(np.arange(len(whole)) % 2, -1.0, whole["quantity"])).to_parquet(orders, index=False)
    code, text = recsys("retrain")
    assert code == 3, text
    assert shop.publication.name == before
    whole.to_parquet(orders, index=False)
