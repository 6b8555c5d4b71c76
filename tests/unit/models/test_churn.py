"""Churn where the truth is known: members who mostly bought once, and leave without a word."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.task import View
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import Fold, backtest
from recsys.evaluation.peers import peers_of
from recsys.evaluation.report import Report, build_report
from recsys.features.catalog import features_of
from recsys.models.boosted import BoosterConfig
from recsys.models.churn import TASK, ChurnConfig, ChurnModel, ChurnTrainer
from recsys.models.contract import Trainer
from tests.oracle.evaluation.test_bgnbd import CDNOW

START = AsOf.parse("2024-01-01")
DAYS = 700
HORIZON = 56
BOOSTER = BoosterConfig(rounds=100, leaves=5, learning_rate=0.05, min_leaf=40, feature_share=0.3, threads=1)


def histories(members: int, *, seed: int) -> list[np.ndarray]:
    """Purchase days of members who come at any time, buy at a rate of their own and leave after some purchase.

    Rates and chances to leave are those published for the buyers of a music shop, of whom most bought once.
    """
    rng = np.random.default_rng(seed)
    every = []
    for first in rng.uniform(0, DAYS - 60, members):
        rate, leave = rng.gamma(CDNOW.r) / CDNOW.alpha / 7, rng.beta(CDNOW.a, CDNOW.b)
        days = [first]
        while True:
            days.append(days[-1] + rng.exponential(1 / max(rate, 1e-9)))
            if days[-1] >= DAYS:
                days.pop()
                break
            if rng.random() < leave:
                break
        every.append(np.unique(np.floor(days)))
    return every


def example(every: list[np.ndarray], today: int) -> Example:
    """Members active in the last 84 days, by the rhythm of their purchases alone."""
    task = replace(TASK, horizon=HORIZON)
    values, members, stayed_away = [], [], []
    for number, days in enumerate(every):
        past = days[days < today]
        if not len(past) or today - past[-1] > 84:
            continue
        gaps = np.diff(past)
        since = today - past[-1]
        mean = gaps.mean() if len(gaps) else np.nan
        values.append(
            {
                "days_since_purchase": since,
                "days_since_first_purchase": today - past[0],
                "purchase_days": len(past),
                **{f"purchase_days_{w}d": (past >= today - w).sum() for w in (30, 90, 365)},
                "money_90d": 20.0 * (past >= today - 90).sum(),
                "money_per_purchase_day": 20.0,
                "mean_gap": mean,
                "last_gap": gaps[-1] if len(gaps) else np.nan,
                "longest_gap": gaps.max() if len(gaps) else np.nan,
                "overdue_ratio": since / mean,
            }
        )
        members.append(f"m{number}")
        stayed_away.append(float(not ((days >= today) & (days < today + HORIZON)).any()))
    as_of = START.plus(days=today)
    frame = pd.DataFrame(values).astype(float)
    specs = tuple(spec for spec in features_of(View.MEMBER) if spec.name in frame)
    rows = Rows(task, as_of, pd.DataFrame({"member_id": members}), frame[[spec.name for spec in specs]], specs)
    return Example(rows, Labels(pd.DataFrame({"y": stayed_away}), Window.after(as_of, days=HORIZON)))


@pytest.fixture(scope="module")
def every() -> list[np.ndarray]:
    return histories(9000, seed=3)


@pytest.fixture(scope="module")
def report(every: list[np.ndarray]) -> Report:
    test = DAYS - HORIZON
    fold = Fold(tuple(START.plus(days=test - HORIZON - 28 * back) for back in (3, 2, 1, 0)), START.plus(days=test))
    days = {START.plus(days=day): day for day in range(DAYS)}
    peers = {name: peer for name, peer in peers_of(TASK).items() if name in {"bg_nbd", "rfm_logistic"}}
    trainers: dict[str, Trainer] = {"churn": ChurnTrainer(ChurnConfig(booster=BOOSTER)), **peers}
    found = backtest(trainers, [fold], lambda as_of: example(every, days[as_of]), lambda *_: None)
    return build_report(found, "churn", resamples=300)


def test_most_members_bought_once(every: list[np.ndarray]) -> None:
    assert 0.5 < np.mean([len(days) == 1 for days in every]) < 0.8


def test_it_ties_with_the_model_that_made_the_world(report: Report) -> None:
    verdicts = {(one.metric, one.peer): one.verdict for one in report.comparisons}
    assert report.scorer("bg_nbd").pooled["auc"].value > 0.6
    for metric in ("auc", "pr_auc", "log_loss"):
        for peer in ("bg_nbd", "rfm_logistic"):
            assert verdicts[metric, peer] != "worse", (metric, peer)


def test_its_probabilities_are_those_of_the_world(report: Report) -> None:
    assert report.scorer("churn").pooled["ece"].value < 0.03


def test_where_rows_are_few_the_regression_has_the_larger_share(every: list[np.ndarray]) -> None:
    day = DAYS - 2 * HORIZON
    training = TrainingSet(tuple(example(every[:3000], day - 28 * back) for back in (2, 1, 0)))
    model = ChurnTrainer(ChurnConfig(booster=BOOSTER)).fit(training)
    assert isinstance(model, ChurnModel)
    assert model.blend.linear_share > 0.5
    fixed = ChurnTrainer(ChurnConfig(booster=BOOSTER, linear_share=0.25)).fit(training)
    assert fixed.blend.linear_share == 0.25
