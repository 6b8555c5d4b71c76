from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.frames import Example, Rows, TrainingSet
from recsys.core.task import Task
from recsys.models.blend import Blend, Parts
from recsys.models.boosted import Boosted, BoosterConfig, grow
from recsys.models.calibration import Calibrator, Predictor, fit_calibrator, predict_held_out, take, with_rows
from recsys.models.encoding import Encoder, Floats
from recsys.models.linear import Linear, fit_linear
from recsys.models.sampling import list_weights, thin_negatives
from recsys.models.screening import strongest

TOP = 10


class RankerConfig(Settings):
    """Choices of one ranker.

    booster: how its trees grow.
    features: features kept, those with the largest gain in a quick first ensemble on the regression's rows.
    screen: how the trees of that first ensemble grow.
    linear_share: weight of the regression in the mean of the log-odds, in [0, 1].
    penalty: of the regression's squared weights.
    foremost: a member's rows that teach, the first so many by the TIFU score, as hardly anything below them enters a
        list of ten; None = all.
    max_rows, linear_rows: rows that teach the trees and the regression when there are more; every purchase is kept, the
        others are drawn and weigh more.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig
    features: int = Field(default=60, ge=1)
    screen: BoosterConfig = BoosterConfig(rounds=25, leaves=15, learning_rate=0.2, min_leaf=50, bins=31)
    linear_share: float = Field(default=0.5, ge=0, le=1)
    penalty: float = Field(default=5.0, gt=0)
    foremost: int | None = Field(default=80, ge=1)
    max_rows: int = Field(default=600_000, ge=100)
    linear_rows: int = Field(default=60_000, ge=100)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class Ranker:
    """Trees and a logistic regression whose log-odds are averaged, calibrated.

    Trees find where timing and habit interact, the regression orders near-equals smoothly; each alone ranks worse.
    """

    blend: Blend
    calibrator: Calibrator

    def chance(self, rows: Rows) -> Floats:
        """(n,) calibrated probabilities."""
        return self.calibrator.apply(self.blend.predict(rows))

    @property
    def trees(self) -> Boosted:
        """The trees, which are stored beside `to_data`."""
        return self.blend.parts.boosted

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON of everything but the trees."""
        return {
            "linear": self.blend.parts.linear.to_data(),
            "linear_share": self.blend.linear_share,
            "calibrator": self.calibrator.to_data(),
        }

    @classmethod
    def from_data(cls, data: dict[str, Any], trees: Boosted) -> Self:
        """Read what `to_data` gave."""
        blend = Blend(Parts(trees, Linear.from_data(data["linear"])), float(data["linear_share"]))
        return cls(blend, Calibrator.from_data(data["calibrator"]))


def fit_ranker(training: TrainingSet, config: RankerConfig) -> Ranker:
    """Fit on all cutoffs, calibrated on the last one by a fit on those before it: all its rows, unweighted.

    training: labels hold `y`, 0 or 1. `MissingError` when no cutoff has a row.
    """
    training = with_rows(training)

    def predictor(part: TrainingSet) -> Predictor:
        return _mixed(part, config).predict

    held = predict_held_out(training, predictor, folds=config.folds)
    calibrator = fit_calibrator(held.raw, held.labels["y"].to_numpy(dtype=np.float64))
    return Ranker(_mixed(training, config), calibrator)


@dataclass(frozen=True)
class _Taught:
    """Drawn rows of all cutoffs: frames of values, one a cutoff, and stacked labels and weights, (n,) each."""

    frames: tuple[pd.DataFrame, ...]
    y: Floats
    weight: Floats


def _mixed(training: TrainingSet, config: RankerConfig) -> Blend:
    """Fit both parts on the rows that teach and the features that gain most; text features are left out.

    What an item and its kin are worth to a member stands in the numbers, and trees that split names take several times
    as long.
    """
    training = _telling(training, config.foremost)
    many = _draw(training, config.max_rows, config.booster.seed)
    few = _draw(training, config.linear_rows, config.booster.seed)
    specs = strongest(training.specs, few.frames, few.y, few.weight, config.screen, keep=config.features)
    trees = grow(Encoder.learn(specs, many.frames), many.frames, many.y, config.booster, many.weight)
    linear = fit_linear(Encoder.learn(specs, few.frames), few.frames, few.y, few.weight, penalty=config.penalty)
    return Blend(Parts(trees, linear), config.linear_share)


def _draw(training: TrainingSet, rows: int, seed: int) -> _Taught:
    kept, weights = thin_negatives(training, rows, seed=seed)
    weight = np.concatenate(
        [list_weights(example, drawn, top=TOP) for example, drawn in zip(kept.examples, weights, strict=True)]
    )
    frames = tuple(example.rows.values for example in kept.examples)
    return _Taught(frames, kept.y["y"].to_numpy(dtype=np.float64), weight / max(weight.mean(), 1e-12))


def _telling(training: TrainingSet, foremost: int | None) -> TrainingSet:
    """Keep the foremost rows of members with a purchase among their rows; all rows where that leaves none.

    Who bought none of the rows tells nothing about their order.
    """
    examples = tuple(take(example, _tells(example, foremost)) for example in training.examples)
    kept = tuple(example for example in examples if len(example.rows))
    return TrainingSet(kept) if kept else training


def _tells(example: Example, foremost: int | None) -> "np.ndarray":
    bought = example.labels.y["y"].groupby(example.rows.keys["member_id"].to_numpy()).transform("max")
    near = _place(example.rows) <= (np.inf if foremost is None else foremost)
    return np.asarray((bought > 0).to_numpy() & near)


def _place(rows: Rows) -> Floats:
    """(n,) place of each row among its member's by the TIFU score, 1 = the first; 0 where that is not known."""
    return known(rows, f"own_{item_of(rows.task)}_tifu_rank", unknown=0.0)


def item_of(task: Task) -> str:
    """Name what a task recommends, as the names of its features do: "product" or "subcategory"."""
    return task.keys[-1].removesuffix("_id")


def known(rows: Rows, name: str, *, unknown: float) -> Floats:
    """(n,) a feature's values; `unknown` for those that are, and for all where the rows lack the feature."""
    if name not in rows.values.columns:
        return np.full(len(rows), unknown)
    values = rows.values[name].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, unknown)
