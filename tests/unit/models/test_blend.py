import numpy as np
import pandas as pd
from scipy.special import expit, logit

from recsys.core.frames import TrainingSet
from recsys.models import churn
from recsys.models.blend import Blend, Parts, best_share, fit_parts, mix
from recsys.models.boosted import BoosterConfig
from recsys.models.calibration import HeldOut
from tests.unit.models.made import make_binary

BOOSTER = BoosterConfig(rounds=20, leaves=5, min_leaf=20, threads=1)


def parts_of(training: TrainingSet) -> Parts:
    frames = [example.rows.values for example in training.examples]
    y = training.y["y"].to_numpy(dtype=np.float64)
    return fit_parts(training.specs, frames, y, np.ones(len(y)), BOOSTER, penalty=1.0)


def test_it_lies_between_its_parts_and_its_ends_are_its_parts() -> None:
    training = make_binary(churn.TASK, 1000, cutoffs=2)
    rows, parts = training.examples[0].rows, parts_of(training)
    trees, line, both = (Blend(parts, share).predict(rows) for share in (0.0, 1.0, 0.5))
    np.testing.assert_allclose(trees, parts.boosted.predict(rows.values), rtol=1e-6)
    np.testing.assert_allclose(line, parts.linear.predict(rows.values), rtol=1e-6)
    np.testing.assert_allclose(logit(both), (logit(trees) + logit(line)) / 2, atol=1e-9)


def test_contributions_add_up_to_the_log_odds_but_for_a_constant() -> None:
    training = make_binary(churn.TASK, 500, cutoffs=2)
    rows, blend = training.examples[1].rows, Blend(parts_of(training), 0.3)
    rest = logit(blend.predict(rows)) - blend.contributions(rows).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-5)


def test_the_share_goes_to_the_part_that_held_out_rows_bear_out() -> None:
    rng = np.random.default_rng(0)
    true, noise = rng.normal(-1, 1.5, 20_000), rng.normal(0, 1.5, 20_000)
    labels = pd.DataFrame({"y": rng.random(20_000) < expit(true)})
    first, second = np.column_stack([true, noise]), np.column_stack([noise, true])
    assert best_share(HeldOut(first, labels)) < 0.06
    assert best_share(HeldOut(second, labels)) > 0.94
    errors = rng.normal(0, 1.2, (20_000, 2))
    halves = HeldOut(true[:, None] + errors, labels)
    assert 0.35 < best_share(halves) < 0.65
    np.testing.assert_allclose(mix(first, 0.0), expit(true))
