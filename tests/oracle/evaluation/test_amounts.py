"""Metrics of amounts beside slow ones that are plainly right."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from recsys.evaluation import amounts
from recsys.evaluation.curves import Statistic
from recsys.evaluation.judged import Judged
from tests.unit.evaluation.made import Table, judged_of

AMOUNTS = [0.0, 0.0, 1.0, 5.0, 5.0, 20.0, 300.0]
SCORES = [0.0, 1.0, 2.5, 7.0, 7.0, 100.0]
cases = st.lists(st.tuples(st.sampled_from(SCORES), st.sampled_from(AMOUNTS)), min_size=2, max_size=40)


def judged(score: np.ndarray, money: np.ndarray, member: np.ndarray | None = None) -> Judged:
    ids = np.arange(len(score)) if member is None else member
    rows: Table = {"member_id": [f"m{one}" for one in ids], "money": money, "purchases": money, "margin": money}
    return judged_of(rows, {"score": score, "purchases": score, "margin": score}, task="value")


def plain(statistic: Statistic, found: Judged) -> float:
    return float(statistic(np.ones((1, found.ground.members)))[0])


def slow_concentration(by: np.ndarray, money: np.ndarray) -> float:
    """Mean over all ways to order equal values of the area: equal values share their money evenly."""
    even = pd.Series(money).groupby(by).transform("mean").to_numpy()
    ordered = even[np.argsort(-by, kind="stable")]
    reached = np.concatenate([[0.0], np.cumsum(ordered)]) / money.sum()
    return float((reached[1:] + reached[:-1]).mean() - 1)


@given(cases)
@settings(max_examples=200, deadline=None)
def test_gini_is_the_area_of_the_concentration_curve(pairs: list[tuple[float, float]]) -> None:
    score, money = np.array(pairs).T
    best = slow_concentration(money, money) if money.sum() else 0.0
    found = plain(amounts.gini(judged(score, money), "money"), judged(score, money))
    if best > 1e-9:
        assert found == pytest.approx(slow_concentration(score, money) / best, abs=1e-9)
    else:
        assert np.isnan(found) or abs(found) < 1e-6


@given(cases)
@settings(max_examples=200, deadline=None)
def test_spearman_is_scipys(pairs: list[tuple[float, float]]) -> None:
    score, money = np.array(pairs).T
    found = plain(amounts.spearman(judged(score, money), "money"), judged(score, money))
    if len(set(score)) > 1 and len(set(money)) > 1:
        assert found == pytest.approx(spearmanr(score, money).statistic, abs=1e-9)
    else:
        assert np.isnan(found)


def test_the_rest_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    money = np.round(rng.gamma(0.5, 100, 1000), 2)
    score = 1.1 * money * rng.uniform(0.5, 1.5, 1000)
    found = judged(score, money)

    assert plain(amounts.mae(found, "money"), found) == pytest.approx(np.abs(score - money).mean())
    assert plain(amounts.rmse(found, "money"), found) == pytest.approx(np.sqrt(((score - money) ** 2).mean()))
    assert plain(amounts.bias(found, "money"), found) == pytest.approx(score.sum() / money.sum() - 1)
    tenths = np.array_split(np.argsort(score), 10)
    gaps = sum(abs(score[tenth].sum() - money[tenth].sum()) for tenth in tenths)
    assert plain(amounts.decile_error(found, "money"), found) == pytest.approx(gaps / money.sum())


@pytest.mark.parametrize(
    "statistic", [amounts.gini, amounts.spearman, amounts.mae, amounts.rmse, amounts.bias, amounts.decile_error]
)
def test_a_member_of_weight_two_counts_as_two(statistic: Callable[..., Statistic]) -> None:
    """The bootstrap draws members with all of their rows: drawing one twice is the same as having it twice."""
    rng = np.random.default_rng(1)
    member = np.repeat(np.arange(30), 2)
    score, money = np.round(rng.gamma(1, 50, 60)), np.round(rng.gamma(0.7, 60, 60) * (rng.random(60) < 0.8))
    weight = rng.integers(0, 4, 30)
    rows = np.repeat(np.arange(60), weight[member])
    whole, drawn = judged(score, money, member), judged(score[rows], money[rows], np.arange(len(rows)))
    found = float(statistic(whole, "money")(weight[None, :].astype(float))[0])
    if statistic is amounts.decile_error:  # whose tenths are cut before the drawing
        assert np.isfinite(found)
    else:
        assert found == pytest.approx(plain(statistic(drawn, "money"), drawn), abs=1e-9)


def test_nobody_and_nothing_are_undefined() -> None:
    none = judged(np.zeros(0), np.zeros(0))
    assert np.isnan(plain(amounts.gini(none, "money"), none))
    idle = judged(np.ones(3), np.zeros(3))
    assert np.isnan(
        [plain(one(idle, "money"), idle) for one in (amounts.gini, amounts.bias, amounts.decile_error)]
    ).all()
