import numpy as np
import pytest

from recsys.evaluation.calibration import gain, gain_figure, png, reliability, reliability_figure
from recsys.evaluation.curves import ece
from tests.unit.evaluation.made import binary

RNG = np.random.default_rng(0)
SCORE = RNG.random(5000)
Y = (RNG.random(5000) < SCORE**2).astype(float)


def test_reliability_shows_what_was_kept() -> None:
    curve = reliability(SCORE, Y)

    assert curve.count == (500,) * 10
    assert curve.predicted == pytest.approx(np.linspace(0.05, 0.95, 10), abs=0.02)
    assert curve.observed == pytest.approx(np.linspace(0.05, 0.95, 10) ** 2, abs=0.06)


def test_reliability_is_the_picture_of_the_calibration_error() -> None:
    curve = reliability(SCORE, Y)
    gaps = np.abs(np.subtract(curve.predicted, curve.observed))
    judged = binary(SCORE, Y)

    assert np.average(gaps, weights=curve.count) == pytest.approx(ece(judged)(np.ones((1, 5000)))[0])


def test_gain_reaches_all_and_never_falls() -> None:
    curve = gain(SCORE, Y)

    assert (curve.taken[0], curve.reached[0], curve.taken[-1], curve.reached[-1]) == (0, 0, 1, 1)
    assert (np.diff(curve.reached) >= 0).all()
    best = np.argsort(-SCORE)[:500]
    assert curve.reached[10] == pytest.approx(Y[best].sum() / Y.sum(), abs=1e-6)


def test_gain_of_equal_scores_is_the_diagonal() -> None:
    curve = gain(np.zeros(10), np.array([1.0] * 5 + [0.0] * 5))

    assert curve.reached == pytest.approx(curve.taken)


def test_nothing_happened() -> None:
    assert gain(np.zeros(3), np.zeros(3)).taken == ()


def test_figures_are_pictures_with_every_scorer_in_the_legend() -> None:
    curves = {"ours": reliability(SCORE, Y), "peer": reliability(SCORE / 2, Y)}
    for figure in (
        reliability_figure(curves, "calibration"),
        gain_figure({"ours": gain(SCORE, Y), "peer": gain(-SCORE, Y)}, "gain"),
    ):
        assert png(figure).startswith(b"\x89PNG")
        legend = figure.axes[0].get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == ["ours", "peer"]
