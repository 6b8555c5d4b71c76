import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from recsys.core.errors import MissingError
from recsys.core.frames import Rows, TrainingSet
from recsys.models import churn
from recsys.models.calibration import (
    Calibrator,
    fit_calibrator,
    member_folds,
    predict_held_out,
    predict_held_out_widely,
    with_rows,
)
from recsys.models.calibration import Predictor as Predict
from tests.unit.models.made import make_binary, make_rows, reversed_rows


def test_it_undoes_overconfidence_and_a_shifted_rate() -> None:
    rng = np.random.default_rng(1)
    true = rng.beta(1, 4, 20_000)
    y = (rng.random(20_000) < true).astype(float)
    raw = expit(2 * logit(true) + 1)
    calibrated = fit_calibrator(raw, y).apply(raw)
    assert abs(calibrated.mean() - y.mean()) < 1e-3
    assert np.abs(calibrated - true).mean() < 0.01
    assert np.abs(raw - true).mean() > 0.05


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.floats(-5, 5))
@settings(max_examples=50, deadline=None)
def test_it_keeps_the_ranking_and_stays_a_probability(a: float, b: float, c: float) -> None:
    raw = np.linspace(0, 1, 201)
    calibrated = Calibrator(a, b, c).apply(raw)
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_without_outcomes_it_changes_nothing() -> None:
    nothing = np.empty(0)
    assert fit_calibrator(nothing, nothing) == Calibrator(1.0, 1.0, 0.0)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_sided_outcomes_stay_finite(outcome: float) -> None:
    raw = np.linspace(0, 1, 50)
    assert np.isfinite(fit_calibrator(raw, np.full(50, outcome)).apply(raw)).all()


def test_a_weight_stands_for_so_many_rows() -> None:
    rng = np.random.default_rng(2)
    raw, y, times = rng.random(300), (rng.random(300) < 0.3).astype(float), rng.integers(1, 4, 300)
    weighted = fit_calibrator(raw, y, times.astype(float))
    repeated = fit_calibrator(np.repeat(raw, times), np.repeat(y, times))
    np.testing.assert_allclose(
        [weighted.a, weighted.b, weighted.c], [repeated.a, repeated.b, repeated.c], rtol=1e-3, atol=1e-3
    )


class Recorder:
    """Fits nothing; remembers what it was given, and predicts with the number of members it has seen."""

    def __init__(self) -> None:
        self.fitted: list[TrainingSet] = []
        self.predicted: list[Rows] = []

    def fit(self, training: TrainingSet) -> Predict:
        self.fitted.append(training)

        def predict(rows: Rows) -> np.ndarray:
            self.predicted.append(rows)
            return np.full(len(rows), 0.5)

        return predict


def test_the_last_cutoff_is_predicted_by_the_earlier_ones() -> None:
    training, recorder = make_binary(churn.TASK, 30, cutoffs=3), Recorder()
    held = predict_held_out(training, recorder.fit)
    assert [example.rows.as_of for example in recorder.fitted[0].examples] == [
        example.rows.as_of for example in training.examples[:2]
    ]
    assert held.labels.equals(training.examples[2].labels.y)


def test_with_one_cutoff_no_member_is_predicted_by_itself() -> None:
    training, recorder = make_binary(churn.TASK, 60, cutoffs=1), Recorder()
    held = predict_held_out(training, recorder.fit, folds=3)
    assert len(held.raw) == len(held.labels) == 60
    for fitted, predicted in zip(recorder.fitted, recorder.predicted, strict=True):
        assert not set(fitted.keys["member_id"]) & set(predicted.keys["member_id"])


def test_held_out_widely_every_row_is_predicted_by_other_members_and_the_last_cutoff_by_earlier_ones_too() -> None:
    training, recorder = make_binary(churn.TASK, 60, cutoffs=3), Recorder()
    held = predict_held_out_widely(training, recorder.fit, folds=2)
    assert len(held.raw) == len(held.labels) == 4 * 60
    *across, later = recorder.fitted
    for number, fitted in enumerate(across):
        told = recorder.predicted[3 * number : 3 * number + 3]
        assert [rows.as_of for rows in told] == [example.rows.as_of for example in training.examples]
        assert not set(fitted.keys["member_id"]) & {member for rows in told for member in rows.keys["member_id"]}
    assert [example.rows.as_of for example in later.examples] == [
        example.rows.as_of for example in training.examples[:2]
    ]
    assert held.labels["y"].tail(60).tolist() == training.examples[2].labels.y["y"].tolist()


def test_held_out_widely_labels_belong_to_the_predictions() -> None:
    training = make_binary(churn.TASK, 50, cutoffs=2)
    known = {
        (example.rows.as_of, member): y
        for example in training.examples
        for member, y in zip(example.rows.keys["member_id"], example.labels.y["y"], strict=True)
    }

    def knowing(_: TrainingSet) -> Predict:
        return lambda rows: np.array([known[rows.as_of, member] for member in rows.keys["member_id"]])

    held = predict_held_out_widely(training, knowing)
    np.testing.assert_array_equal(held.raw, held.labels["y"])


def test_one_member_alone_cannot_be_calibrated() -> None:
    with pytest.raises(MissingError):
        predict_held_out(make_binary(churn.TASK, 1, cutoffs=1), Recorder().fit)


def test_folds_follow_the_member_alone() -> None:
    rows = make_rows(churn.TASK, 300, seed=0)
    backwards = reversed_rows(rows)
    np.testing.assert_array_equal(member_folds(rows, 3), member_folds(backwards, 3)[::-1])
    assert set(member_folds(rows, 3)) == {0, 1, 2}


def test_cutoffs_without_rows_are_dropped_and_none_is_an_error() -> None:
    training = make_binary(churn.TASK, 5, cutoffs=2)
    empty = make_binary(churn.TASK, 0, cutoffs=3)
    mixed = TrainingSet((*training.examples, empty.examples[2]))
    assert with_rows(mixed).examples == training.examples
    with pytest.raises(MissingError, match="churn"):
        with_rows(empty)


def test_the_level_moves_a_share_of_the_way_and_the_spread_stays() -> None:
    raw = np.linspace(0.05, 0.9, 40)
    whole = Calibrator(0.8, 1.3, -0.7)
    none, half = whole.shifting(raw, 0.0), whole.shifting(raw, 0.5)
    level = [float(np.mean(logit(each.apply(raw)))) for each in (none, half, whole)]
    assert level[0] == pytest.approx(float(np.mean(logit(raw))))
    assert level[1] == pytest.approx((level[0] + level[2]) / 2)
    assert (half.a, half.b) == (whole.a, whole.b)
    assert whole.shifting(raw, 1.0) == whole
    assert whole.shifting(np.empty(0), 0.5) == whole
