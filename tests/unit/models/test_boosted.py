from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.core.errors import ArtifactError
from recsys.models import churn
from recsys.models.boosted import SQUARES, Binned, Boosted, BoosterConfig, Objective, grow
from recsys.models.encoding import Encoder
from tests.unit.models.made import make_binary, make_rows

CONFIG = BoosterConfig(rounds=30, leaves=7, min_leaf=20, learning_rate=0.1, threads=1)


def grown(config: BoosterConfig = CONFIG) -> Boosted:
    training = make_binary(churn.TASK, 1500, cutoffs=1)
    encoder = Encoder.learn(training.specs, [training.values])
    return grow(encoder, [training.values], training.y["y"].to_numpy(dtype=float), config)


def test_it_learns_what_matters_and_says_so() -> None:
    boosted, later = grown(), make_binary(churn.TASK, 3000, cutoffs=1, seed=50)
    assert roc_auc_score(later.y["y"], boosted.predict(later.values)) > 0.78
    assert next(iter(boosted.gain())) == "strong"


def test_the_number_of_threads_does_not_change_the_trees() -> None:
    values = make_rows(churn.TASK, 500, seed=9).values
    one, two = (grown(CONFIG.model_copy(update={"threads": threads})) for threads in (1, 2))
    np.testing.assert_array_equal(one.predict(values), two.predict(values))


def test_another_seed_grows_other_trees() -> None:
    values = make_rows(churn.TASK, 500, seed=9).values
    assert not np.array_equal(grown().predict(values), grown(CONFIG.model_copy(update={"seed": 8})).predict(values))


def test_rows_of_no_weight_teach_nothing() -> None:
    training = make_binary(churn.TASK, 1000, cutoffs=1)
    encoder = Encoder.learn(training.specs, [training.values])
    y, weight = training.y["y"].to_numpy(dtype=float), (np.arange(1000) < 500).astype(float)
    flipped = np.where(weight > 0, y, 1 - y)
    first, second = (grow(encoder, [training.values], truth, CONFIG, weight) for truth in (y, flipped))
    np.testing.assert_array_equal(first.predict(training.values), second.predict(training.values))


def test_trees_of_amounts_tell_factors_on_what_they_start_from() -> None:
    """The amounts are twice what was expected where `strong` is above 0, and as expected elsewhere."""
    training = make_binary(churn.TASK, 4000, cutoffs=1)
    values, rng = training.values, np.random.default_rng(3)
    expected = rng.uniform(1, 50, len(values))
    factor = np.where(values["strong"] > 0, 2.0, 1.0)
    amounts = expected * factor * rng.gamma(2.0, 0.5, len(values)) * (rng.random(len(values)) < 0.5) * 2
    encoder = Encoder.learn(training.specs, [values])
    binned = Binned(encoder, encoder.encode([values]), CONFIG, Objective("tweedie", 1.5))
    told = binned.grow(amounts, start=np.log(expected)).predict(values)
    assert told[factor > 1].mean() == pytest.approx(2, abs=0.15)
    assert told[factor == 1].mean() == pytest.approx(1, abs=0.1)


def test_trees_of_shares_tell_means_and_may_be_below_nothing() -> None:
    training = make_binary(churn.TASK, 2000, cutoffs=1)
    share = np.where(training.values["strong"] > 0, 0.4, -0.1)
    encoder = Encoder.learn(training.specs, [training.values])
    config = CONFIG.model_copy(update={"rounds": 100, "feature_share": 1.0})
    told = Binned(encoder, encoder.encode([training.values]), config, SQUARES).grow(share).predict(training.values)
    assert told == pytest.approx(share, abs=0.05)


def test_trees_of_other_features_are_refused(tmp_path: Path) -> None:
    boosted = grown()
    boosted.write(tmp_path / "trees.txt")
    fewer = Encoder(boosted.encoder.names[:2], {})
    with pytest.raises(ArtifactError, match="other features"):
        Boosted.read(tmp_path / "trees.txt", fewer, 1)
