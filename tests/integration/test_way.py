"""The whole way of a retailer, by the command alone: files in, tables, features, models, ledger, publication."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.answers.policy import PLACEMENTS
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.models.catalog import CATALOG
from recsys.store.database import database
from recsys.store.packed import PackedReader
from recsys.store.promotions import history
from tests.shop import make_frames
from training import cli

SETTINGS = """
timezone = "Asia/Shanghai"

[source]
folder = "export"

[tables.orders]
from = "线上订单.csv"
casts = { "件数" = "DOUBLE", "实付" = "DOUBLE" }

[tables.orders.columns]
order_id = "单号"
member_id = "会员"
product_id = "商品"
ordered_at = "下单时间"
quantity = "件数"
amount = "实付"

[training]
trains = 2
tests = 1
min_history = 56
keep = 30

[tasks.churn]
horizon = 14
model = { linear_share = 0.0, booster = { rounds = 20, min_leaf = LEAF } }

[tasks.repurchase]
horizon = 28
model = { booster = { rounds = 5 }, knots = [7, 14, 28] }

[tasks.value]
horizon = 28
model = { booster = { rounds = 20, min_leaf = 5 } }

[tasks.new_product.model]
booster = { rounds = 5, min_leaf = 5 }

[tasks.recommend.model]
booster = { rounds = 5, leaves = 7 }
"""
NAMES = {
    "order_id": "单号",
    "member_id": "会员",
    "product_id": "商品",
    "ordered_at": "下单时间",
    "quantity": "件数",
    "amount": "实付",
}

TASKS = tuple(CATALOG)
Command = Callable[..., tuple[int, str]]


class Shop:
    """A retailer's working folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root / "家")

    def settle(self, min_leaf: int) -> None:
        """Write recsys.toml; leaves larger than the shop leave the churn model without a split."""
        (self.root / "recsys.toml").write_text(SETTINGS.replace("LEAF", str(min_leaf)), encoding="utf-8")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(tmp_path_factory.mktemp("商城"))
    export = made.root / "export"
    export.mkdir()
    frames = make_frames(members=60, days=200)
    orders = frames.pop("orders").rename(columns=NAMES)
    orders["实付"] = orders["实付"].round(2).astype(str)
    orders.loc[orders.index[3], "实付"] = "十元"
    orders.to_csv(export / "线上订单.csv", index=False)
    for name, frame in frames.items():
        frame.to_parquet(export / f"{name}.parquet", index=False)
    made.settle(5)
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


def champion(shop: Shop, task: str) -> str:
    with database(shop.home.database) as engine:
        return history(engine, task)[-1].version


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("features",), 4, "recsys ingest"),
        (("publish",), 4, "recsys ingest"),
        (("train", "everything"), 4, "recsys ingest"),
        (("ingest", "--sample", "nobody"), 2, "complete-journey"),
        (("ingest", "--config", "no.toml"), 2, "no.toml"),
    ],
)
def test_a_step_taken_too_early_or_wrongly_says_what_to_do(
    recsys: Command, words: tuple[str, ...], code: int, said: str
) -> None:
    found, text = recsys(*words)
    assert (found, said in text) == (code, True), text
    assert "Traceback" not in text


def test_validate_checks_and_writes_nothing(recsys: Command, shop: Shop) -> None:
    code, text = recsys("validate")
    assert code == 0, text
    assert not shop.home.tables.exists()


def test_ingest_keeps_the_good_rows_and_sets_the_bad_one_apart(recsys: Command, shop: Shop) -> None:
    code, text = recsys("ingest")
    assert code == 0, text
    rejected = pd.read_parquet(shop.home.quarantine / "orders.parquet")
    assert len(rejected) == 1
    assert "十元" in rejected.to_json(force_ascii=False)
    assert "unchanged" in recsys("ingest")[1]


def test_training_registers_promotes_and_is_not_repeated(recsys: Command, shop: Shop) -> None:
    code, text = recsys("train", "all", "--promote")
    assert code == 0, text
    for task in TASKS:
        assert f"{task}: version 1 is the champion" in text
    code, text = recsys("train", "churn", "--promote")
    assert code == 0
    assert "churn: version 1" in text
    assert "champion" not in text


def test_scores_are_kept_until_something_changes(recsys: Command, shop: Shop) -> None:
    code, text = recsys("score")
    assert code == 0, text
    (file,) = (shop.home.scores / "churn").glob("as_of=*/scores.parquet")
    table = pd.read_parquet(file)
    assert list(table.columns)[:2] == ["member_id", "score"]
    assert table["score"].between(0, 1).all()
    made = file.stat().st_mtime_ns
    assert recsys("score", "churn")[0] == 0
    assert file.stat().st_mtime_ns == made


def test_publish_scores_everybody_but_those_who_opted_out(recsys: Command, shop: Shop) -> None:
    code, text = recsys("publish")
    assert code == 0, text
    publication = Publication.open_current(shop.home.publications)
    members = pd.read_parquet(shop.root / "export" / "members.parquet")
    refused = members.loc[~members["consent_personalised"].fillna(value=True).astype(bool), "member_id"]
    assert len(refused) > 0
    assert all(publication.refused(member) for member in refused)
    assert publication.model_versions == dict.fromkeys(TASKS, "1")
    assert publication.horizons["value"] == 28
    assert np.isfinite(publication.value["score"]).sum() > 20
    scored = np.flatnonzero(np.isfinite(publication.churn))
    assert sum(bool(publication.churn_reasons(int(row))) for row in scored) > len(scored) / 2
    assert len(publication.popular) > 0
    code, text = recsys("publish")
    assert code == 0
    assert "is current and of the same tables and models" in text


def test_a_product_that_does_not_exist_yet_has_an_audience(recsys: Command, shop: Shop) -> None:
    products = pd.read_parquet(shop.root / "export" / "products.parquet")
    category = str(products["category"].dropna().iloc[0])
    code, text = recsys("audience-for", "--category", category, "--brand", "前所未有", "--price", "9.9", "--top", "5")
    assert code == 0, text
    assert "expected to buy" in text
    audience = pd.read_csv(shop.root / "audience.csv")
    assert len(audience) == 5
    assert audience["score"].is_monotonic_decreasing
    assert audience["score"].between(0, 1).all()


def test_materialize_fills_the_online_store(recsys: Command, shop: Shop) -> None:
    code, text = recsys("materialize")
    assert code == 0, text
    publication = Publication.open_current(shop.home.publications)
    member = publication.members.text(0)
    assert PackedReader(shop.home.online).read("member", [member]).found.all()


def test_a_worse_challenger_is_refused_unless_forced_with_a_reason(recsys: Command, shop: Shop) -> None:
    shop.settle(100_000)
    code, text = recsys("train", "churn", "--promote")
    assert code == 6, text
    assert "significantly worse" in text
    assert champion(shop, "churn") == "1"
    assert recsys("promote", "churn", "--force")[0] == 2
    code, text = recsys("promote", "churn", "--force", "--why", "试一试")
    assert code == 0, text
    assert champion(shop, "churn") == "2"


def test_rollback_brings_the_earlier_champion_back(recsys: Command, shop: Shop) -> None:
    code, text = recsys("rollback", "churn", "--why", "回到原来")
    assert code == 0, text
    assert champion(shop, "churn") == "1"
    assert recsys("rollback", "churn")[0] == 6
    code, text = recsys("runs", "churn")
    assert code == 0
    for part in ("王芳", "回到原来", "champion", "auc"):
        assert part in text


def test_a_placement_that_tries_the_challenger_has_its_lists_published(recsys: Command, shop: Shop) -> None:
    assert recsys("publish")[0] == 0
    assert Publication.open_current(shop.home.publications).challenger is None
    settings = (shop.root / "recsys.toml").read_text(encoding="utf-8")
    fewer = settings.replace("rounds = 5, leaves = 7", "rounds = 4, leaves = 7")
    (shop.root / "recsys.toml").write_text(fewer, encoding="utf-8")
    code, text = recsys("train", "recommend")
    assert code == 0, text
    placements = shop.home.root / PLACEMENTS
    placements.write_text(
        '[home]\ntitle = "Home"\nsources = [{ name = "personal" }]\n'
        'variants = [{ name = "new", share = 0.5, change = { model = "challenger" } }]\n',
        encoding="utf-8",
    )
    code, text = recsys("publish")
    assert code == 0, text
    publication = Publication.open_current(shop.home.publications)
    assert publication.challenger is not None
    assert (publication.champion.version, publication.challenger.version) == ("1", "2")
    assert len(publication.challenger.recommend.other) > 0
    placements.write_text("[home]\n", encoding="utf-8")
    code, text = recsys("publish")
    assert code == 0, text
    assert "no challenger is published" in text
    assert Publication.open_current(shop.home.publications).challenger is None
    placements.unlink()
    (shop.root / "recsys.toml").write_text(settings, encoding="utf-8")


def test_evaluate_writes_a_report_that_names_every_peer(recsys: Command, shop: Shop) -> None:
    code, text = recsys("evaluate", "churn")
    assert code == 0, text
    report = json.loads((shop.home.reports / "churn.json").read_text(encoding="utf-8"))
    names = [scorer["name"] for scorer in report["scorers"]]
    assert names[0] == "churn"
    assert len(names) >= 3
    page = (shop.home.reports / "churn.html").read_text(encoding="utf-8")
    assert all(name in page and name in text for name in names)
    assert {one["cut"].split(":")[0] for one in report["slices"]} >= {"tenure", "activity", "cold or warm"}
    assert report["versions"]["peak_memory"].endswith(" MB")


@pytest.mark.parametrize("task", TASKS)
def test_the_report_beside_a_registered_model_is_its_card(recsys: Command, shop: Shop, task: str) -> None:
    assert recsys("runs", task)[0] == 0
    files = list((shop.home.mlflow / "artifacts" / task).rglob("report.json"))
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert reports
    assert all(report["card"]["taught"] and report["card"]["limits"] for report in reports)
    assert any(feature["gain"] > 0 for report in reports for feature in report["importance"])
    assert all("Model card" in file.with_suffix(".html").read_text(encoding="utf-8") for file in files)


def test_new_days_are_added_and_published_anew(recsys: Command, shop: Shop) -> None:
    before = Publication.open_current(shop.home.publications).as_of
    old = pd.read_csv(shop.root / "export" / "线上订单.csv", dtype=str)
    day = old.tail(20).copy()
    day["单号"] = "新-" + day["单号"]
    day["下单时间"] = f"{before.day}T04:00:00"
    day.to_csv(shop.root / "export" / "线上订单.csv", index=False)
    assert recsys("ingest")[0] == 0
    code, text = recsys("publish")
    assert code == 0, text
    assert Publication.open_current(shop.home.publications).as_of == before.plus(days=1)


def test_orders_alone_are_enough(recsys: Command, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_frames(members=40, days=170)["orders"].to_csv(tmp_path / "orders.csv", index=False)
    settings = shop.root / "recsys.toml"
    kept = settings.read_text(encoding="utf-8")[settings.read_text(encoding="utf-8").index("[training]") :]
    kept = kept.replace("[tasks.value]\nhorizon = 28", "[tasks.value]")
    (tmp_path / "recsys.toml").write_text(
        f'timezone = "Asia/Shanghai"\n\n{kept}'.replace("100000", "5"), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    assert recsys("ingest")[0] == 0
    code, text = recsys("train", "all", "--promote")
    assert code == 0, text
    assert "new_product: the tables have nothing to predict; left out" in text
    assert "value: the data are too short for labels of 90 days; left out" in text
    assert recsys("score")[0] == 0
    code, text = recsys("publish")
    assert code == 0, text
    assert "new_product" not in Publication.open_current(Home(tmp_path / "home").publications).model_versions


def test_a_setting_that_nobody_knows_is_refused_by_its_name(recsys: Command, tmp_path: Path) -> None:
    for text, name in (("[tasks.chrun]\nhorizon = 7", "tasks"), ("[trainning]\nstep = 7", "trainning")):
        (tmp_path / "recsys.toml").write_text(f'timezone = "UTC"\n{text}\n', encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            code, said = recsys("runs")
        assert code == 2
        assert name in said
