import json
from collections.abc import Mapping
from typing import Any

from recsys.evaluation.report import build_report, to_json
from tests.unit.evaluation.made import churn_backtest, only
from training.measure import Taken
from training.results_page import ShopResult, best_peer, to_page

TEST = churn_backtest({"churn": 0.4, "equal": 0.4, "noise": 4.0, "oracle": 0.0}, members=900)


def as_read(model: str = "churn") -> Mapping[str, Any]:
    report = build_report(TEST, model, resamples=100, versions={"code_version": "0.1.0+abc"})
    read: Mapping[str, Any] = json.loads(to_json(report))
    return read


def shop(**reports: Mapping[str, Any]) -> ShopResult:
    taken = (Taken("ingest", 3.2, 500.0), Taken("churn", 10.9, 900.4))
    return ShopResult(
        "dense", "A dense shop", ("recsys ingest", "recsys evaluate all"), {"orders": "12"}, taken, reports
    )


def rows(page: str, start: str) -> list[list[str]]:
    """The cells of the lines of tables that begin with a cell."""
    found = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith(f"| {start} ")]
    assert found, start
    return found


def test_every_peer_stands_beside_the_model_with_its_verdict() -> None:
    page = to_page([shop(churn=as_read())], {})
    (glance,) = rows(page, "dense")
    assert glance[1] == f"churn, {TEST.task.horizon} days"
    assert int(glance[2]) > 200
    assert glance[3] == "auc"
    assert glance[5] == "oracle"
    assert glance[-1] == "**worse**"
    for peer, verdict in (("equal", "no difference"), ("noise", "beats"), ("oracle", "**worse**")):
        (line,) = rows(page, peer)
        assert line[2] == verdict, line
    (values,) = rows(page, "**auc**")
    assert all("[" in cell for cell in values[1:])
    assert "model wins 1, 1 show no difference and it loses 1" in page


def test_what_is_not_won_is_listed_with_its_explanation() -> None:
    why = "The oracle   knows\nthe truth."
    losses = to_page([shop(churn=as_read())], {"dense": {"churn": why}}).split("## ")[2]
    assert losses.startswith("Where a model does not beat its peer")
    assert "auc, no difference: equal" in losses
    assert "auc, **worse**: oracle" in losses
    assert "worse than oracle in other metrics: pr_auc" in losses
    assert "noise" not in losses
    assert "Why: The oracle knows the truth." in losses
    assert "Why: Not explained yet." in to_page([shop(churn=as_read())], {"other": {"churn": why}})


def test_a_model_that_wins_everywhere_has_nothing_to_explain() -> None:
    page = to_page([shop(churn=as_read("oracle"))], {})
    assert "Nowhere." in page
    assert "Why:" not in page


def test_the_nearest_peer_is_the_one_to_beat() -> None:
    found = best_peer(as_read())
    assert found is not None
    assert found["peer"] == "oracle"
    alone = build_report(only(TEST, 0), "churn", resamples=10)
    without = {**json.loads(to_json(alone)), "comparisons": []}
    assert best_peer(without) is None


def test_a_report_of_nothing_or_of_little_is_told_and_not_counted() -> None:
    empty = {**as_read(), "cutoffs": [{**cutoff, "rows": 0} for cutoff in as_read()["cutoffs"]]}
    thin = {**as_read(), "cutoffs": [{**cutoff, "positives": 10} for cutoff in as_read()["cutoffs"]]}
    empty["cutoffs"] = [{**cutoff, "positives": 0} for cutoff in empty["cutoffs"]]
    page = to_page([shop(churn=as_read(), churn_28=empty, value=thin)], {})
    assert "Nothing to predict" in page
    assert "Only 20 positive: too few to judge" in page
    assert len(rows(page, "dense")) == 1
    assert "Of 3 comparisons" in page


def test_times_memory_commands_and_versions_are_told() -> None:
    page = to_page([shop(churn=as_read())], {})
    (seconds,), (peak,) = rows(page, "seconds"), rows(page, "peak MB")
    assert seconds == ["seconds", "3", "11", "14"]
    assert peak == ["peak MB", "500", "900", "900"]
    for text in ("    recsys ingest\n", "0.1.0+abc", "lightgbm ", "A dense shop"):
        assert text in page
    promised, came = (rows(page, name)[0] for name in ("promised", "came"))
    assert len(promised) == len(came) > 5
