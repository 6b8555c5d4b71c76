from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import MissingError
from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.task import FeatureSpec
from recsys.core.time import Window
from recsys.models import value
from recsys.models.boosted import BoosterConfig
from recsys.models.value import Pace, ValueConfig, ValueModel, ValueTrainer
from tests.unit.models.made import START, spec

PACE = Pace("money", usual=180.0, prior_days=10.0, horizon=90)  # everybody: 2 a day
CONFIG = ValueConfig(booster=BoosterConfig(rounds=40, leaves=7, min_leaf=30, learning_rate=0.1, threads=1))
COLUMNS = ("days_since_first_purchase", "money_90d", "money_365d", "purchase_days_90d", "purchase_days_365d", "mood")


def history(known: float, lately: float, ever: float) -> pd.DataFrame:
    return pd.DataFrame({"days_since_first_purchase": [known], "money_90d": [lately], "money_365d": [ever]})


def test_a_pace_is_money_a_day_with_some_days_at_everybodys_mixed_in() -> None:
    expected = np.sqrt((500 + 20) / 100 * (500 + 20) / 210) * 90
    assert np.exp(PACE.log(history(200, 500, 500)))[0] == pytest.approx(expected)


def test_a_pace_does_not_depend_on_how_far_the_data_reach_back() -> None:
    short, long = (np.exp(PACE.log(history(known, 2 * min(known, 90), 2 * min(known, 365)))) for known in (60, 3000))
    assert short == long == pytest.approx(180)


@pytest.mark.parametrize("known", [0.0, np.nan])
def test_of_whom_nothing_is_known_everybodys_pace_is_taken(known: float) -> None:
    assert np.exp(PACE.log(history(known, np.nan, np.nan)))[0] == pytest.approx(180)


def test_a_feature_that_is_missing_is_named() -> None:
    with pytest.raises(MissingError, match="money_365d"):
        PACE.log(history(1, 1, 1).drop(columns="money_365d"))


def specs() -> tuple[FeatureSpec, ...]:
    return tuple(spec(name, value.TASK) for name in COLUMNS)


def example(size: int, seed: int, *, cutoff: int = 0) -> Example:
    """Members pay 30 a purchase day at a pace of their own; in good mood twice as often, at a margin of 0.1 not 0.3."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.0, 0.1, size)
    known = rng.uniform(30, 700, size)
    bought = [rng.poisson(rate * np.minimum(known, days)) for days in (90, 365)]
    mood = (rng.random(size) < 0.5).astype(float)
    values = pd.DataFrame(
        dict(zip(COLUMNS, (known, 30.0 * bought[0], 30.0 * bought[1], *bought, mood), strict=True))
    ).astype(float)
    keys = pd.DataFrame({"member_id": [f"m{number}" for number in range(size)]})
    rows = Rows(value.TASK, START.plus(days=28 * cutoff), keys, values, specs())
    purchases = rng.poisson(rate * 90 * (1 + mood)).astype(float)
    money = 30 * purchases * rng.gamma(20, 1 / 20, size)
    y = pd.DataFrame({"purchases": purchases, "money": money, "margin": money * np.where(mood, 0.1, 0.3)})
    return Example(rows, Labels(y, Window.after(rows.as_of, days=90)))


@pytest.fixture(scope="module")
def model() -> ValueModel:
    return ValueTrainer(CONFIG).fit(TrainingSet((example(3000, 1), example(3000, 2, cutoff=1))))


def test_it_finds_pace_mood_and_margin(model: ValueModel) -> None:
    later = example(4000, 9)
    table, y = model.score(later.rows).table, later.labels.y
    for label, column in (("money", "score"), ("purchases", "purchases"), ("margin", "margin")):
        assert table[column].sum() == pytest.approx(y[label].sum(), rel=0.06)
    good = later.rows.values["mood"] == 1
    assert (table["margin"] / table["score"])[good].mean() == pytest.approx(0.1, abs=0.02)
    assert (table["margin"] / table["score"])[~good].mean() == pytest.approx(0.3, abs=0.02)
    own = later.rows.values["money_365d"] / later.rows.values["days_since_first_purchase"].clip(upper=365) * 90
    assert np.abs(table["score"] - y["money"]).mean() < 0.8 * np.abs(own - y["money"]).mean()


def test_contributions_add_up_to_the_log_of_the_money_but_for_one_constant(model: ValueModel) -> None:
    rows = example(500, 9).rows
    rest = np.log(model.score(rows).table["score"]) - model.contributions(rows).sum(axis=1)
    assert rest.to_numpy() == pytest.approx(np.full(500, rest[0]))
    heaviest = np.abs(model.contributions(rows)).mean(axis=0)
    assert {COLUMNS[at] for at in np.argsort(-heaviest)[:3]} == {"money_90d", "money_365d", "mood"}


def test_it_does_not_learn_from_nothing() -> None:
    one = example(50, 1)
    nothing = replace(one, labels=Labels(one.labels.y * 0, one.labels.window))
    with pytest.raises(MissingError, match="value"):
        ValueTrainer(CONFIG).fit(TrainingSet((nothing,)))


def test_margins_may_be_below_nothing_but_never_above_the_money(model: ValueModel) -> None:
    one = example(1000, 3)
    y = one.labels.y.assign(margin=-5 * one.labels.y["money"])
    deep = ValueTrainer(CONFIG).fit(TrainingSet((replace(one, labels=Labels(y, one.labels.window)),)))
    table = deep.score(one.rows).table
    assert (table["margin"] < 0).all()
    assert (table["margin"].abs() <= table["score"] + 1e-9).all()
    assert (model.score(one.rows).table["margin"] <= model.score(one.rows).table["score"]).all()
