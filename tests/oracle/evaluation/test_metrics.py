"""Every metric beside a slow one that is plainly right."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.evaluation import curves, lists
from recsys.evaluation.backtest import REPEATS
from recsys.evaluation.curves import Statistic
from recsys.evaluation.judged import Floats, Judged, judge
from recsys.evaluation.lists import DISCOVERY, Aim
from recsys.evaluation.metrics import coverage, intervals_judged, metrics_of
from tests.unit.evaluation.made import Table, binary, judged_of, pairs

REPEAT = REPEATS["product_id"]
AIMS = (*(Aim(label, part) for label in ("y", "soon") for part in lists.PARTS), DISCOVERY)
Slow = Callable[[list[float], list[float]], float]
RANDOM = [st.tuples(st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.8, 0.95]), st.booleans())]
cases = st.lists(RANDOM[0], min_size=1, max_size=40)


def value(statistic: Statistic, judged: Judged) -> float:
    return float(statistic(np.ones((1, judged.ground.members)))[0])


def slow_auc(score: list[float], y: list[float]) -> float:
    wins = [
        1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
        for i in range(len(y))
        for j in range(len(y))
        if y[i] == 1 and y[j] == 0
    ]
    return sum(wins) / len(wins) if wins else math.nan


def slow_average_precision(score: list[float], y: list[float]) -> float:
    if not sum(y):
        return math.nan
    total, recall = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        chosen = [label for s, label in zip(score, y, strict=True) if s >= threshold]
        reached = sum(chosen) / sum(y)
        total += (reached - recall) * sum(chosen) / len(chosen)
        recall = reached
    return total


def slow_brier(score: list[float], y: list[float]) -> float:
    return sum((s - label) ** 2 for s, label in zip(score, y, strict=True)) / len(y)


def slow_log_loss(score: list[float], y: list[float]) -> float:
    return -sum(math.log(s if label else 1 - s) for s, label in zip(score, y, strict=True)) / len(y)


def slow_ece(score: list[float], y: list[float]) -> float:
    edges = sorted({float(np.quantile(score, part / 10)) for part in range(1, 10)})
    bins: dict[int, list[int]] = {}
    for row, s in enumerate(score):
        bins.setdefault(sum(edge < s for edge in edges), []).append(row)
    total = 0.0
    for rows in bins.values():
        promised = sum(score[row] for row in rows) / len(rows)
        kept = sum(y[row] for row in rows) / len(rows)
        total += len(rows) / len(y) * abs(promised - kept)
    return total


def slow_lift(score: list[float], y: list[float], share: float) -> float:
    if not sum(y):
        return math.nan
    left, caught = share * len(y), 0.0
    for level in sorted(set(score), reverse=True):
        tied = [label for s, label in zip(score, y, strict=True) if s == level]
        part = min(1.0, left / len(tied))
        caught += part * sum(tied)
        left -= part * len(tied)
    return caught / sum(y) / share


BINARY: dict[str, tuple[Callable[[Judged], Statistic], Slow]] = {
    "auc": (curves.auc, slow_auc),
    "pr_auc": (curves.pr_auc, slow_average_precision),
    "brier": (curves.brier, slow_brier),
    "log_loss": (curves.log_loss, slow_log_loss),
    "ece": (curves.ece, slow_ece),
    "lift_at_5": (partial(curves.lift, share=0.05), partial(slow_lift, share=0.05)),
    "lift_at_10": (partial(curves.lift, share=0.1), partial(slow_lift, share=0.1)),
}


@pytest.mark.parametrize("name", sorted(BINARY))
@settings(max_examples=60, deadline=None)
@given(rows=cases)
def test_yes_or_no_metrics(name: str, rows: list[tuple[float, bool]]) -> None:
    fast, slow = BINARY[name]
    score, y = [row[0] for row in rows], [float(row[1]) for row in rows]

    judged = binary(score, y)

    assert value(fast(judged), judged) == pytest.approx(slow(score, y), nan_ok=True)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"ece"}))  # its bins are cut before members are weighed
@settings(max_examples=40, deadline=None)
@given(rows=cases, data=st.data())
def test_a_weight_is_so_many_copies(name: str, rows: list[tuple[float, bool]], data: st.DataObject) -> None:
    fast, slow = BINARY[name]
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)).filter(any))
    copies = [row for row, weight in zip(rows, weights, strict=True) for _ in range(weight)]

    judged = binary([row[0] for row in rows], [float(row[1]) for row in rows])
    found = fast(judged)(np.array([weights], dtype=np.float64))[0]

    assert found == pytest.approx(slow([row[0] for row in copies], [float(row[1]) for row in copies]), nan_ok=True)


def test_many_weightings_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(0)
    judged = binary(rng.random(500), (rng.random(500) < 0.3).astype(float))
    weights = rng.integers(0, 3, (9000, 500)).astype(np.float64)  # more than one chunk

    for name, (fast, _) in BINARY.items():
        together = fast(judged)(weights)
        assert together[[0, 4500, 8999]] == pytest.approx(
            [fast(judged)(weights[[row]])[0] for row in (0, 4500, 8999)], rel=1e-9
        ), name


def top(rows: pd.DataFrame, tie: Floats, member: str, k: int, score: str = "score") -> pd.DataFrame:
    mine = rows.assign(tie=tie)[rows["member_id"] == member]
    return mine.sort_values([score, "tie"], ascending=[False, True]).head(k)


def slow_lists(rows: pd.DataFrame, bought: pd.DataFrame, tie: Floats, k: int, aim: Aim) -> dict[str, float]:
    recalls, hits, ndcgs = [], [], []
    for member in rows["member_id"].unique():
        want = bought[bought["member_id"] == member]
        if aim.label == "y":
            want = want[want["next"]]
        if aim.part != "all":
            want = want[want["repeat"] == (aim.part == "repeat")]
        wanted = set(want["product_id"])
        if not wanted:
            continue
        if aim.apart:
            new = rows[REPEAT] == 0
            listed = top(rows[new], tie[new], member, k, "discovery")
        else:
            listed = top(rows, tie, member, k)
        shown = list(listed["product_id"])
        found = [product in wanted for product in shown]
        recalls.append(sum(found) / len(wanted))
        hits.append(float(any(found)))
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(found) if hit)
        best = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
        ndcgs.append(gain / best)
    return {
        "recall": float(np.mean(recalls)) if recalls else math.nan,
        "hit": float(np.mean(hits)) if hits else math.nan,
        "ndcg": float(np.mean(ndcgs)) if ndcgs else math.nan,
    }


def judged_pairs(rows: pd.DataFrame, bought: pd.DataFrame | None) -> Judged:
    table = {name: rows[name].to_numpy() for name in ("member_id", "product_id", "y", "soon", REPEAT)}
    truth = None if bought is None else {str(name): bought[name].to_numpy() for name in bought}
    scores = {name: rows[name].to_numpy() for name in ("score", "discovery")}
    return judged_of(table, scores, task="recommend", truth=truth)


@pytest.mark.parametrize("aim", AIMS, ids=str)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 3, 20])
def test_ranked_lists(seed: int, k: int, aim: Aim) -> None:
    rows, bought = pairs(seed)
    judged = judged_pairs(rows, bought)

    slow = slow_lists(rows, bought, judged.ground.tie.astype(np.float64), k, aim)

    assert value(lists.recall(judged, k, aim), judged) == pytest.approx(slow["recall"])
    assert value(lists.hit(judged, k, aim), judged) == pytest.approx(slow["hit"])
    assert value(lists.ndcg(judged, k, aim), judged) == pytest.approx(slow["ndcg"])


def test_products_never_offered_count_in_the_denominator() -> None:
    rows, bought = pairs(3)

    alone = judged_pairs(rows, None)
    full = judged_pairs(rows, bought)

    assert value(lists.recall(full, 20), full) < value(lists.recall(alone, 20), alone) == 1.0


def test_rows_that_cannot_tell_repeats_have_no_parts_and_no_discoveries() -> None:
    rows, _ = pairs(2)
    table: Table = {name: rows[name].to_numpy() for name in ("member_id", "product_id", "y", "soon")}
    scores: Table = {name: rows[name].to_numpy() for name in ("score", "discovery")}
    judged = judged_of(table, scores, task="recommend")

    found = {metric.name: metric.value([judged]) for metric in metrics_of("recommend")}

    unknown = {name for name, number in found.items() if math.isnan(number)}
    assert unknown == {name for name in found if name.endswith(("_repeat", "_explore"))} | {
        "discovery_recall_at_10",
        "discovery_ndcg_at_10",
        "repeat_share_at_10",
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_the_lists_show(seed: int) -> None:
    rows, bought = pairs(seed)
    judged = judged_pairs(rows, bought)
    shown = pd.concat([top(rows, judged.ground.tie.astype(np.float64), m, 2) for m in rows["member_id"].unique()])

    assert value(lists.repeat_share(judged, 2), judged) == pytest.approx((shown[REPEAT] > 0).mean())
    assert value(lists.catalogue_coverage(judged, 2), judged) == pytest.approx(
        shown["product_id"].nunique() / rows["product_id"].nunique()
    )


def slow_product_ndcg(rows: pd.DataFrame, tie: Floats) -> float:
    values = []
    for _, group in rows.assign(tie=tie).groupby("product_id"):
        y = group.sort_values(["score", "tie"], ascending=[False, True])["y"].tolist()
        if sum(y):
            gain = sum(label / math.log2(place + 2) for place, label in enumerate(y))
            values.append(gain / sum(1 / math.log2(place + 2) for place in range(int(sum(y)))))
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(4))
def test_ranking_of_members_for_a_product(seed: int) -> None:
    rows, _ = pairs(seed)
    judged = judged_pairs(rows, None)
    tie = judged.ground.tie.astype(np.float64)

    assert value(lists.product_ndcg(judged), judged) == pytest.approx(slow_product_ndcg(rows, tie))

    weights = np.random.default_rng(seed).integers(0, 3, judged.ground.members)
    copies = rows.assign(tie=tie, copies=weights[judged.ground.member])
    copies = copies.loc[copies.index.repeat(copies["copies"])]
    weighted = lists.product_ndcg(judged)(weights[None, :].astype(np.float64))[0]
    assert weighted == pytest.approx(slow_product_ndcg(copies.drop(columns="tie"), copies["tie"].to_numpy()))


def test_the_order_of_rows_and_ids_tells_nothing() -> None:
    """With all scores equal, buyers that come first (or last) gain nothing over chance."""
    members, offered = 400, 20
    first = {
        "member_id": np.repeat([f"m{m:04d}" for m in range(members)], offered),
        "product_id": np.tile([f"p{p:02d}" for p in range(offered)], members),
        "y": np.tile([1.0] + [0.0] * (offered - 1), members),
    }
    flat = {"score": np.zeros(members * offered)}

    judged = judged_of(first, flat, task="recommend")

    assert value(lists.recall(judged, 10), judged) == pytest.approx(0.5, abs=0.1)


def test_intervals_of_repurchase() -> None:
    rows: Table = {
        "member_id": list("abcdef"),
        "category": ["milk"] * 6,
        "days": [5.0, 20.0, np.nan, np.nan, 0.0, 40.0],
        "observed": [56.0] * 6,
    }
    low, high = [3, 2, 10, 10, 1, 30], [8, 9, 30, 90, 4, 60]
    judged = judged_of(rows, {"score": [0.5] * 6, "low_days": low, "high_days": high}, task="repurchase")

    # judged: 5 in [3, 8]; 20 not in [2, 9]; unseen by 56, so not in [10, 30]; 0 not in [1, 4]; the others end too late
    assert value(coverage(judged), judged) == pytest.approx(1 / 4)
    assert value(intervals_judged(judged), judged) == pytest.approx(4 / 6)


def test_repurchase_within_days_counts_the_first_day_and_not_the_last() -> None:
    rows: Table = {
        "member_id": list("abc"),
        "category": ["x"] * 3,
        "days": [13.0, 14.0, np.nan],
        "observed": [56.0] * 3,
    }
    judged = judged_of(rows, {"score": [0.9, 0.5, 0.1]}, task="repurchase")

    assert judged.ground.outcome(14).tolist() == [1, 0, 0]
    assert judged.ground.outcome(15).tolist() == [1, 1, 0]
    assert np.isnan(judged.ground.outcome(57)).all()


@pytest.mark.parametrize("task", ["churn", "new_product", "recommend"])
def test_every_metric_of_a_task_is_a_number_on_ordinary_rows(task: str) -> None:
    rows, bought = pairs(1, members=40)
    judged = judged_pairs(rows, bought)

    for metric in metrics_of(task):
        assert math.isfinite(metric.value([judged])), metric.name


def test_no_rows_give_no_numbers() -> None:
    rows: Table = {"member_id": [], "product_id": [], "y": [], "soon": [], REPEAT: []}
    judged = judged_of(rows, {"score": [], "discovery": []}, task="recommend")

    for task in ("churn", "recommend"):
        for metric in metrics_of(task):
            assert math.isnan(metric.value([judged])), metric.name


def test_members_keep_their_code_over_cutoffs() -> None:
    from recsys.evaluation.backtest import Backtest
    from tests.unit.evaluation.made import fold_of, task_of

    one = fold_of({"member_id": ["b", "a"], "y": [0.0, 1.0]}, {"it": {"score": [0.1, 0.2]}})
    two = fold_of({"member_id": ["c", "a"], "y": [0.0, 1.0]}, {"it": {"score": [0.1, 0.2]}}, number=1)

    first, second = judge(Backtest(task_of("churn"), (one, two)))["it"]

    assert first.ground.member[1] == second.ground.member[1]
    assert first.ground.members == second.ground.members == 3
