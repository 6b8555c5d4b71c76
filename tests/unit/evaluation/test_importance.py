from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task
from recsys.evaluation.calibration import png
from recsys.evaluation.importance import Explanation, explain, importances
from recsys.evaluation.swarm import apart, ranks, swarm_figure
from recsys.models import churn
from recsys.models.boosted import BoosterConfig
from recsys.models.churn import ChurnConfig, ChurnTrainer
from tests.unit.models.made import make_binary, make_rows, specs

TASK = churn.TASK
ROWS = make_rows(TASK, 400, seed=3)


@dataclass(frozen=True)
class Told:
    """A model that says what it is told to say."""

    task: Task = TASK

    def score(self, rows: Rows) -> Scores:
        return Scores.of(rows, [np.zeros(len(rows))])

    def contributions(self, rows: Rows) -> np.ndarray:
        return np.outer(rows.values["strong"], [2.0, -1.0, 0.0, 0.0])

    def save(self, folder: Path) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Silent:
    """A model that cannot say what its scores are made of."""

    task: Task = TASK

    def score(self, rows: Rows) -> Scores:
        return Scores.of(rows, [np.zeros(len(rows))])

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def told(rows: Rows = ROWS) -> Explanation:
    found = explain(Told(), rows)
    assert found is not None
    return found


def test_importance_is_the_mean_size_of_the_contributions() -> None:
    strong = np.abs(ROWS.values["strong"]).mean()
    found = importances(told())

    assert [one.feature for one in found] == ["strong", "weak"]
    assert [one.contribution for one in found] == pytest.approx([2 * strong, strong])
    assert [one.share for one in found] == pytest.approx([2 / 3, 1 / 3])
    assert [one.gain for one in found] == [None, None]


def test_a_fitted_model_tells_both_contributions_and_gains() -> None:
    config = ChurnConfig(booster=BoosterConfig(rounds=20, leaves=7, min_leaf=20, learning_rate=0.1, threads=1))
    training = make_binary(TASK, 800, cutoffs=2)
    model = ChurnTrainer(config).fit(TrainingSet(training.examples))
    found = explain(model, ROWS)
    assert found is not None

    assert sum(found.gain.values()) == pytest.approx(1)
    known = importances(found)
    assert known[0].feature == "strong"
    assert max(known, key=lambda one: one.gain or 0.0).feature == "strong"


def test_a_sample_is_drawn_and_the_same_each_time() -> None:
    first, again, other = (explain(Told(), ROWS, sample=50, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None

    assert len(first.values) == len(first.contributions) == 50
    pd.testing.assert_frame_equal(first.values, again.values)
    assert not first.values.equals(other.values)


def test_what_cannot_be_explained_is_not() -> None:
    assert explain(Silent(), ROWS) is None
    assert explain(Told(), ROWS.take(np.zeros(len(ROWS), dtype=bool))) is None


def test_ranks_are_shares_below_and_text_has_none() -> None:
    values = np.array([5.0, np.nan, 1.0, 5.0, 9.0])

    np.testing.assert_allclose(ranks(values, "number"), [0.5, np.nan, 0.125, 0.5, 0.875])
    assert np.isnan(ranks(np.array(["a", None], dtype=object), "category")).all()


def test_points_that_would_lie_on_each_other_are_moved_apart() -> None:
    heights = apart(np.array([0.5, 0.5, 0.5, 0.5, 0.5, -0.9]), 1.0)

    assert sorted(heights[:5]) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert heights[5] == 0
    assert len(apart(np.zeros(0), 1.0)) == 0


@pytest.mark.parametrize("count", [1, 2, 400])
def test_the_picture_shows_the_features_that_matter_the_first_on_top(count: int) -> None:
    figure = swarm_figure(told(ROWS.take(np.arange(400) < count)), "some members")

    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["weak", "strong"]
    assert png(figure).startswith(b"\x89PNG")


def test_a_model_that_adds_nothing_still_has_a_picture() -> None:
    nothing = replace(told(), contributions=np.zeros((400, len(specs(TASK)))))

    assert importances(nothing) == ()
    assert png(swarm_figure(nothing, "nothing")).startswith(b"\x89PNG")
