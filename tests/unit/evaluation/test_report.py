import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import ArtifactError, ConfigError
from recsys.core.folders import write_folder
from recsys.evaluation.backtest import REPEATS, Backtest
from recsys.evaluation.bootstrap import Interval, verdict_of
from recsys.evaluation.card import WORDS, card_of
from recsys.evaluation.gate import no_worse
from recsys.evaluation.importance import Explanation
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import metric_of, metrics_of
from recsys.evaluation.page import figures, to_html, to_markdown
from recsys.evaluation.record import load_backtest, save_backtest
from recsys.evaluation.report import Report, build_report, to_json
from recsys.models.catalog import CATALOG
from tests.unit.evaluation.made import Table, churn_backtest, fold_of, only, task_of
from tests.unit.models.made import make_rows

KEYS = ["member_id", "product_id"]
NAMES = ("model", "<rival> & co", "noise")
TEST = churn_backtest({"model": 0.3, "<rival> & co": 0.3, "noise": 5.0})
REPORT = build_report(TEST, "model", resamples=100, versions={"data": "abc123"})


def test_the_pooled_value_is_the_mean_of_the_cutoffs() -> None:
    scorer = REPORT.scorer("noise")

    assert scorer.pooled["auc"].value == pytest.approx(np.mean([one["auc"] for one in scorer.per_cutoff.values()]))
    assert scorer.pooled["auc"].low < scorer.pooled["auc"].value < scorer.pooled["auc"].high
    assert list(scorer.per_cutoff) == [cutoff.test for cutoff in REPORT.cutoffs] == ["2024-06-01", "2024-06-29"]
    assert (scorer.fit_seconds, scorer.score_seconds) == (2.0, 1.0)


def test_verdicts_name_the_better_one() -> None:
    found = {(one.peer, one.metric): one.verdict for one in REPORT.comparisons}

    assert found["noise", "auc"] == found["noise", "brier"] == "beats"
    assert found["<rival> & co", "auc"] == "no difference"
    turned = {(c.peer, c.metric): c.verdict for c in build_report(TEST, "noise", resamples=100).comparisons}
    assert turned["model", "auc"] == turned["model", "brier"] == "worse"


def test_a_verdict_needs_the_whole_interval_on_one_side() -> None:
    assert verdict_of(Interval(0.1, 0.01, 0.2), 1) == "beats"
    assert verdict_of(Interval(0.1, 0.01, 0.2), -1) == "worse"
    assert verdict_of(Interval(0.1, 0.0, 0.2), 1) == "no difference"
    assert verdict_of(Interval(0.1, float("nan"), float("nan")), 1) == "no difference"


def test_json_holds_all_of_it() -> None:
    data = json.loads(to_json(REPORT))

    assert [scorer["name"] for scorer in data["scorers"]] == list(NAMES)
    assert data["versions"] == {"data": "abc123"}
    assert set(data["scorers"][0]["pooled"]) == {metric.name for metric in metrics_of("churn")}
    assert set(data["gain"]) == set(data["reliability"]) == set(NAMES)


def test_the_flat_numbers_are_finite() -> None:
    flat = REPORT.flat

    assert flat["auc"] == REPORT.scorer("model").pooled["auc"].value
    assert flat["auc_low"] < flat["auc"] < flat["auc_high"]
    assert all(np.isfinite(value) for value in flat.values())


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_opens_alone_and_names_all_scorers() -> None:
    page = Page()
    html = to_html(REPORT)
    page.feed(html)

    assert page.open == []
    assert set(NAMES) <= set(page.text)
    assert len(page.images) == 2
    assert all(image.startswith("data:image/png;base64,iVBOR") for image in page.images)
    assert "http" not in html
    assert "abc123" in page.text


def test_the_terminal_table_has_a_row_for_each_scorer() -> None:
    lines = to_markdown(REPORT, metrics=["auc", "brier"]).splitlines()

    assert lines[0] == "| scorer | auc | brier | model minus it (auc) | verdict |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == list(NAMES)
    assert lines[-1].endswith("| beats |")


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ConfigError, match="somebody"):
        build_report(TEST, "somebody")


def test_unknown_metrics_and_tasks_are_named() -> None:
    with pytest.raises(ConfigError, match="recall"):
        metric_of("churn", "recall")
    with pytest.raises(ConfigError, match="weather"):
        metrics_of("weather")


def whole() -> Report:
    """A report with everything that one can hold, of a model that a peer beats on old members."""
    test = churn_backtest({"model": 1.0, "peer": 0.2}, members=300)
    folds = tuple(
        replace(fold, rows=fold.rows.assign(days_since_first_purchase=np.arange(300.0), main_category="<奶粉>"))
        for fold in test.folds
    )
    rows = make_rows(test.task, 300, seed=1)
    shares = rows.values[["strong"]].to_numpy() * np.array([1.0, 0.5, 0.0, 0.0])
    explanation = Explanation(rows.specs, rows.values, shares, {"strong": 0.75, "weak": 0.25})
    whole = replace(test, folds=folds, explanation=explanation)
    return build_report(whole, "model", resamples=60, taught=(folds[0].fold.test,))


def test_the_page_shows_where_and_why_and_its_limits() -> None:
    report, page = whole(), Page()
    page.feed(to_html(report))
    text = " ".join(page.text)

    assert page.open == []
    assert len(page.images) == 3
    assert "<奶粉>" in page.text
    for words in (
        "buys nothing within 28 days",
        "2024-06-01",
        "it is worse than peer",
        "strong",
        "75.0%",
        "model card",
    ):
        assert words in text


def test_json_holds_the_parts_the_importance_and_the_card() -> None:
    data = json.loads(to_json(whole()))

    assert [one["feature"] for one in data["importance"]] == ["strong", "weak"]
    assert {one["cut"] for one in data["slices"]} == {"tenure: days since the first purchase", "main category"}
    assert "worse" in {one["verdict"] for one in data["slices"]}
    assert data["card"]["taught"] == ["2024-06-01"]
    assert data["explanation"] is None


def test_the_card_says_what_was_found_wanting() -> None:
    limits = " ".join(whole().card.limits)

    assert "In auc it is worse than peer: the difference is -" in limits
    assert "On some rows it is worse than peer: tenure" in limits
    good = build_report(churn_backtest({"model": 0.2, "peer": 2.0}), "model", resamples=60)
    assert "peer" not in " ".join(good.card.limits)
    assert good.card.taught == ()


def test_the_best_peer_is_found_whichever_way_is_better() -> None:
    assert whole().best_peer == "peer"
    assert build_report(TEST, "model", resamples=30).best_peer == "<rival> & co"
    assert build_report(only(churn_backtest({"model": 0.3}), 0), "model", resamples=30).best_peer == ""


def test_a_report_without_peers_is_a_page_too() -> None:
    page = Page()
    page.feed(to_html(build_report(churn_backtest({"model": 0.3}), "model", resamples=30)))

    assert page.open == []
    assert "Model card" in page.text


def test_amounts_are_judged_as_amounts() -> None:
    rng = np.random.default_rng(0)
    money = np.round(rng.gamma(0.6, 200, 500), 2)
    rows: Table = {
        "member_id": [f"m{n}" for n in range(500)],
        "purchases": money / 20,
        "money": money,
        "margin": money / 4,
    }
    scores = {
        name: {"score": money * rng.uniform(1 - blur, 1 + blur, 500), "purchases": money / 20, "margin": money / 4}
        for name, blur in (("model", 0.2), ("peer", 0.9))
    }
    report = build_report(Backtest(task_of("value"), (fold_of(rows, scores),)), "model", resamples=60)

    assert (report.of, report.metric, report.cutoffs[0].positives) == ("money", "gini", int((money > 0).sum()))
    assert report.reliability["model"].observed[-1] > 100
    assert report.gain["model"].reached[-1] == pytest.approx(1)
    assert report.against("peer").verdict == "beats"
    assert "share of money reached" in figures(report)["gain"].axes[0].get_ylabel()


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_task_has_a_card(name: str) -> None:
    task = task_of(name)
    card = card_of(task, ("found",), ())

    assert name in WORDS
    assert str(task.horizon) in card.predicts
    assert "{" not in card.predicts
    assert card.limits[-1] == "found"
    assert len(card.limits) > 1


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_task_is_decided_by_one_of_its_metrics(name: str) -> None:
    assert metric_of(name, task_of(name).metric).better == 1


def test_the_gate_lets_equals_and_betters_pass_and_stops_the_worse() -> None:
    sharp, also, blurred = (churn_backtest({"it": blur}) for blur in (0.3, 0.3, 5.0))

    assert no_worse(sharp, also).passed
    assert no_worse(sharp, blurred).passed
    stopped = no_worse(blurred, sharp)
    assert not stopped.passed
    assert stopped.difference.high < 0
    assert "significantly worse" in stopped.reason
    assert (stopped.metric, stopped.rows) == ("auc", 800)


def test_the_gate_compares_on_common_cutoffs_and_rows_only() -> None:
    ours, theirs = churn_backtest({"it": 0.3}), churn_backtest({"it": 5.0})

    verdict = no_worse(only(ours, 1), theirs)

    assert (verdict.cutoffs, verdict.rows) == (("2024-06-29",), 400)


def test_the_gate_finds_a_row_whatever_its_place() -> None:
    ours = churn_backtest({"it": 0.3}, cutoffs=1)
    order = np.random.default_rng(0).permutation(400)
    turned = churn_backtest({"it": 0.3}, cutoffs=1)
    fold = turned.folds[0]
    fold.rows[:] = fold.rows.iloc[order].to_numpy()
    fold.results["it"].scores[:] = fold.results["it"].scores.iloc[order].to_numpy()

    assert no_worse(ours, turned).difference == Interval(0, 0, 0)


def test_the_gate_credits_better_candidates_and_stops_worse_ones() -> None:
    good, poor = (offering(*products) for products in (("p0", "p1", "p2"), ("p2", "p3", "p0")))

    better, worse = no_worse(good, poor), no_worse(poor, good)

    assert better.passed
    assert (better.difference.value, worse.difference.value) == (0.5, -0.5)
    assert not worse.passed
    assert better.rows == worse.rows == 30 * 3


def test_the_gate_does_not_pass_what_cannot_be_compared() -> None:
    ours, theirs = only(churn_backtest({"it": 0.3}), 0), only(churn_backtest({"it": 0.3}), 1)

    verdict = no_worse(ours, theirs)

    assert not verdict.passed
    assert "never tested" in verdict.reason


def test_the_gate_does_not_pass_an_undefined_metric() -> None:
    ours = churn_backtest({"it": 0.3}, cutoffs=1)
    ours.folds[0].rows["y"] = 0.0

    assert not no_worse(ours, ours).passed


def columns(frame: pd.DataFrame) -> dict[str, "np.ndarray"]:
    return {str(name): frame[name].to_numpy() for name in frame}


def offering(*products: str) -> Backtest:
    """Offer the same products to 30 members who all bought p0 and p1, the earlier named the higher scored."""
    members = [f"会员{number}" for number in range(30)]
    rows = pd.DataFrame([(member, product) for member in members for product in products], columns=KEYS)
    rows["y"] = rows["product_id"].isin(["p0", "p1"]).astype(float)
    rows["soon"] = rows["y"]
    rows[REPEATS["product_id"]] = 0.0
    score = rows["product_id"].map({product: -place for place, product in enumerate(products)}).astype(float)
    truth = pd.DataFrame([(member, product) for member in members for product in ("p0", "p1")], columns=KEYS)
    made = fold_of(
        columns(rows), {"it": {"score": score.to_numpy()}}, truth=columns(truth.assign(repeat=False, next=True))
    )
    return Backtest(task_of("recommend"), (made,))


def test_a_recorded_backtest_comes_back_as_it_was(tmp_path: Path) -> None:
    save_backtest(TEST, "model", tmp_path / "record")

    back = load_backtest(tmp_path / "record", TEST.task)

    assert back.names == ("model",)
    assert [fold.fold for fold in back.folds] == [fold.fold for fold in TEST.folds]
    metric = metric_of("churn", "auc")
    assert metric.value(judge(back)["model"]) == metric.value(judge(TEST)["model"])


def test_a_record_of_another_task_is_refused(tmp_path: Path) -> None:
    save_backtest(TEST, "model", tmp_path / "record")

    with pytest.raises(ArtifactError):
        load_backtest(tmp_path / "record", task_of("recommend"))
    write_folder(tmp_path / "other", lambda _: {"format": 99})
    with pytest.raises(ArtifactError):
        load_backtest(tmp_path / "other", TEST.task)
