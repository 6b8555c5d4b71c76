from dataclasses import replace

import numpy as np
import pytest

from recsys.core.errors import ConfigError
from recsys.core.frames import Example, Rows, TrainingSet
from recsys.core.task import FeatureSpec, View
from recsys.models import repurchase
from recsys.models.boosted import BoosterConfig
from recsys.models.repurchase import LIFE_STAGE, RepurchaseConfig, RepurchaseModel
from tests.unit.models.made import make_rows, make_waits, mean_wait, with_horizon

TASK = repurchase.TASK
CONFIG = RepurchaseConfig(booster=BoosterConfig(rounds=40, leaves=7, min_leaf=50, learning_rate=0.1, threads=1))


def fit(training: TrainingSet) -> RepurchaseModel:
    return repurchase.RepurchaseTrainer(CONFIG).fit(training)


def test_it_finds_the_true_chances_median_and_interval_of_exponential_waits() -> None:
    rows = make_rows(TASK, 4000, seed=90)
    rng = np.random.default_rng(91)
    days = np.floor(rng.exponential(mean_wait(rows)))
    table = fit(make_waits(TASK, 6000, cutoffs=2)).score(rows).table
    for within in (7, 14, 28):
        true = 1 - np.exp(-within / mean_wait(rows))
        assert np.abs(table[f"p{within}"] - true).mean() < 0.04
    assert abs(np.mean(days <= table["median_days"]) - 0.5) < 0.04
    inside = (table["low_days"] <= days) & (days <= table["high_days"])
    assert 0.77 < inside.mean() < 0.83
    told = table[["low_days", "median_days", "high_days"]]
    assert (told == told.round()).all(axis=None)


def with_stage(rows: Rows) -> Rows:
    """Add a life-stage feature that tells nothing."""
    spec = FeatureSpec(LIFE_STAGE[0], View.MEMBER_CATEGORY, "number", "days", "none", "-", "-", "-")
    days = np.random.default_rng(len(rows)).integers(0, 90, len(rows)).astype(float)
    return replace(rows, values=rows.values.assign(**{spec.name: days}), specs=(*rows.specs, spec))


def test_the_strongest_features_are_kept_and_those_of_life_stages_always() -> None:
    training = make_waits(TASK, 3000, cutoffs=2)
    staged = TrainingSet(tuple(Example(with_stage(each.rows), each.labels) for each in training.examples))
    one = RepurchaseConfig.checked({**CONFIG.model_dump(), "features": 1, "screen_rows": 1500})
    model = repurchase.RepurchaseTrainer(one).fit(staged)
    assert [part.encoder.names for part in model.boosted] == [("strong", LIFE_STAGE[0])] * len(model.knots)
    shares = model.contributions(with_stage(make_rows(TASK, 50, seed=3)))
    names = [spec.name for spec in staged.specs]
    assert set(np.flatnonzero(shares.any(axis=0))) <= {names.index("strong"), names.index(LIFE_STAGE[0])}


def test_what_was_not_observed_is_not_taken_for_no_purchase() -> None:
    full = make_waits(TASK, 4000, cutoffs=2)
    short = make_waits(TASK, 4000, cutoffs=3, observed=14)
    late = TrainingSet((*full.examples, short.examples[2]))
    rows = make_rows(TASK, 3000, seed=90)
    table = fit(late).score(rows).table
    assert np.abs(table["p28"] - (1 - np.exp(-28 / mean_wait(rows)))).mean() < 0.06


def test_nothing_after_the_horizon_is_learnt() -> None:
    task = with_horizon(TASK, 14)
    seen = make_waits(task, 1500, cutoffs=2, observed=200)
    cut = make_waits(task, 1500, cutoffs=2, observed=14)
    rows = make_rows(task, 500, seed=90)
    assert fit(seen).knots == fit(cut).knots == (3, 7, 14)
    assert fit(seen).score(rows).table.equals(fit(cut).score(rows).table)


def test_data_that_end_before_the_first_knot_are_refused() -> None:
    with pytest.raises(ConfigError, match="horizon"):
        fit(make_waits(TASK, 100, cutoffs=1, observed=2))


@pytest.mark.parametrize("knots", [(), (7, 3), (3, 3), (0, 7)])
def test_knots_must_increase(knots: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="knots"):
        RepurchaseConfig.checked({"knots": knots})
