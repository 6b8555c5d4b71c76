import json

import numpy as np
from sklearn.metrics import roc_auc_score

from recsys.models import new_product
from recsys.models.encoding import Encoder
from recsys.models.linear import Linear, fit_linear
from tests.unit.models.made import make_binary, make_rows, truth

TASK = new_product.TASK


def fitted(count: int = 4000) -> Linear:
    training = make_binary(TASK, count, cutoffs=1)
    encoder = Encoder.learn(training.specs, [training.values])
    return fit_linear(encoder, [training.values], training.y["y"].to_numpy(dtype=float), np.ones(count))


def test_it_finds_the_true_chances_of_a_linear_world() -> None:
    rows = make_rows(TASK, 3000, seed=70)
    assert np.abs(fitted().predict(rows.values) - truth(rows)).mean() < 0.03


def test_it_survives_json() -> None:
    linear, values = fitted(500), make_rows(TASK, 100, seed=5).values
    again = Linear.from_data(json.loads(json.dumps(linear.to_data())))
    np.testing.assert_array_equal(linear.predict(values), again.predict(values))


def test_one_outcome_only_tells_its_smoothed_rate() -> None:
    training = make_binary(TASK, 99, cutoffs=1)
    encoder = Encoder.learn(training.specs, [training.values])
    linear = fit_linear(encoder, [training.values], np.zeros(99), np.ones(99))
    np.testing.assert_allclose(linear.predict(training.values), 0.005)


def test_weights_stand_for_rows() -> None:
    training = make_binary(TASK, 1500, cutoffs=1)
    y, values = training.y["y"].to_numpy(dtype=float), training.values
    encoder = Encoder.learn(training.specs, [values])
    weight = np.where(y == 1, 3.0, 1.0)
    more = fit_linear(encoder, [values], y, weight).predict(values)
    assert abs(more.mean() - np.average(y, weights=weight)) > 0
    assert more.mean() > y.mean() + 0.1
    assert roc_auc_score(y, more) > 0.8
