import time

import numpy as np
import pytest

from recsys.evaluation.bootstrap import interval, member_weights, paired
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import metric_of
from tests.unit.evaluation.made import churn_backtest, judged_of

AUC, BRIER = metric_of("churn", "auc"), metric_of("churn", "brier")


def test_every_draw_has_as_many_members() -> None:
    weights = member_weights(50, resamples=200)

    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.3)
    assert weights.std() == pytest.approx(1.0, abs=0.05)  # each weight is close to Poisson(1)


def test_the_interval_covers_a_known_difference_about_as_often_as_it_says() -> None:
    """Two scorers of equal blur differ by 0; a nominal 90% interval shall hold 0 in 90% of the shops."""
    held = []
    for seed in range(80):
        judged = judge(churn_backtest({"one": 1.0, "two": 1.0}, members=250, cutoffs=1, seed=seed))
        found = paired(judged["one"], judged["two"], AUC, resamples=200, level=0.9)
        held.append(found.low <= 0 <= found.high)

    assert 0.8 <= np.mean(held) <= 0.98


def test_a_clear_difference_is_seen_and_keeps_its_sign() -> None:
    judged = judge(churn_backtest({"sharp": 0.2, "blurred": 3.0}))

    better = paired(judged["sharp"], judged["blurred"], AUC)
    worse = paired(judged["blurred"], judged["sharp"], AUC)

    assert 0 < better.low < better.value < better.high
    assert (worse.value, worse.low, worse.high) == pytest.approx((-better.value, -better.high, -better.low))


def test_a_scorer_does_not_differ_from_itself() -> None:
    judged = judge(churn_backtest({"one": 1.0}))

    assert paired(judged["one"], judged["one"], BRIER).low == paired(judged["one"], judged["one"], BRIER).high == 0


def test_rows_of_one_member_stay_together() -> None:
    """Ten copies of every member's row tell no more than one row each."""
    rng = np.random.default_rng(0)
    names, score = np.array([f"m{n}" for n in range(300)]), rng.random(300)
    y = (rng.random(300) < score).astype(float)
    one = judged_of({"member_id": names, "y": y}, {"score": score})
    ten = judged_of({"member_id": np.repeat(names, 10), "y": np.repeat(y, 10)}, {"score": np.repeat(score, 10)})
    weights = member_weights(300)

    assert BRIER.weigh([ten], weights).std() == pytest.approx(BRIER.weigh([one], weights).std())


def test_undefined_resamples_are_left_out() -> None:
    found = interval(0.5, np.array([np.nan, 0.4, 0.6]), level=0.5)

    assert (found.low, found.high) == pytest.approx((0.45, 0.55))
    assert np.isnan(interval(0.5, np.array([np.nan])).low)


def test_two_hundred_thousand_rows_take_seconds() -> None:
    rng = np.random.default_rng(0)
    rows = 200_000
    members = np.array([f"m{n:05d}" for n in rng.integers(0, 5000, rows)])
    y = (rng.random(rows) < 0.1).astype(float)
    judged = [judged_of({"member_id": members, "y": y}, {"score": rng.random(rows)}) for _ in range(2)]

    began = time.process_time()
    found = paired(judged[:1], judged[1:], AUC, resamples=200)

    assert time.process_time() - began < 20
    assert found.low < 0 < found.high
