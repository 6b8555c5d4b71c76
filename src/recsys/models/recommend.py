from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task, View
from recsys.models.boosted import Boosted, BoosterConfig, grow
from recsys.models.calibration import Calibrator, Predictor, fit_calibrator, predict_held_out, with_rows
from recsys.models.encoding import Encoder, Floats, numbers
from recsys.models.sampling import member_weights, thin_negatives
from recsys.models.storage import Stored, load_model, save_model

RECENCY = "own_product_days_since_purchase"
RECENCIES = (RECENCY, "own_subcategory_days_since_purchase")
NUDGE = 1e-9

TASK = Task(
    name="recommend",
    horizon=28,
    keys=("member_id", "product_id"),
    views=(View.MEMBER_PRODUCT, View.PRODUCT, View.MEMBER),
    where="is_candidate = 1",
    scores=("score", "discovery"),
    metric="recall_at_10",
)

SUBCATEGORY_TASK = Task(
    name="recommend_subcategory",
    horizon=28,
    keys=("member_id", "subcategory"),
    views=(View.MEMBER_SUBCATEGORY, View.SUBCATEGORY, View.MEMBER),
    where="true",
    scores=("score", "discovery"),
    metric="recall_at_10",
)


class RecommendConfig(Settings):
    """Choices of the ranker.

    booster: how its trees grow.
    max_rows: training rows kept when there are more; every purchase is kept, the others are drawn and weigh more.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig = BoosterConfig(rounds=150, leaves=31, learning_rate=0.06, min_leaf=100)
    max_rows: int = Field(default=300_000, ge=100)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class RecommendModel:
    """Score: calibrated probability that the candidate lies in the member's next basket; `discovery` is the same.

    Of candidates with equal probability the one bought more recently stands higher, by a billionth at most.
    """

    task: Task
    boosted: Boosted
    calibrator: Calibrator

    def score(self, rows: Rows) -> Scores:
        """Score each member and candidate."""
        chance = self.calibrator.apply(self.boosted.predict(rows.values))
        score = np.clip(chance - NUDGE * _staleness(rows), 0, 1)
        return Scores.of(rows, [score, score])

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the score: see `Explained`."""
        return self.boosted.contributions(rows)

    def gain(self) -> dict[str, float]:
        """Tell what the splits gained: see `Grown`."""
        return self.boosted.gain()

    def save(self, folder: Path) -> None:
        """Write the trees and the calibration."""
        stored = Stored({"calibrator": self.calibrator.to_data()}, {"trees": self.boosted})
        save_model(folder, _format(self.task), stored)


@dataclass(frozen=True)
class RecommendTrainer:
    """Pointwise LightGBM over the candidates, each member's rows weighted by 1 / size of what the member bought.

    Text features are left out: what a product and its kin are worth to a member stands in the numbers, and trees that
    split names take several times as long. Calibrated on the last cutoff with all its candidates, unweighted, then
    grown again on all cutoffs.
    """

    config: RecommendConfig

    def fit(self, training: TrainingSet) -> RecommendModel:
        """Fit; `MissingError` when no cutoff has a row."""
        training = with_rows(training)
        held = predict_held_out(training, self._predictor, folds=self.config.folds)
        calibrator = fit_calibrator(held.raw, held.labels["y"].to_numpy(dtype=np.float64))
        return RecommendModel(training.task, self._grow(training), calibrator)

    def _grow(self, training: TrainingSet) -> Boosted:
        config = self.config.booster
        kept, weights = thin_negatives(training, self.config.max_rows, seed=config.seed)
        parts = [example.rows.values for example in kept.examples]
        encoder = Encoder.learn(numbers(kept.specs), parts)
        pairs = zip(kept.examples, weights, strict=True)
        weight = np.concatenate([member_weights(example, weight) for example, weight in pairs])
        return grow(encoder, parts, kept.y["y"].to_numpy(dtype=np.float64), config, weight)

    def _predictor(self, training: TrainingSet) -> Predictor:
        boosted = self._grow(training)
        return lambda rows: boosted.predict(rows.values)


def trainer(config: Settings) -> RecommendTrainer:
    """Build the trainer from its settings."""
    return RecommendTrainer(RecommendConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> RecommendModel:
    """Read what `RecommendModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> RecommendModel:
        return RecommendModel(task, stored.boosted["trees"], Calibrator.from_data(stored.state["calibrator"]))

    return load_model(folder, _format(task), build)


def _format(task: Task) -> str:
    return f"{task.name}/2"


def _staleness(rows: Rows) -> Floats:
    """(n,) in [0, 1]: 0 for an item bought just now, near 1 for one bought long ago, 1 for one never bought."""
    recency = next((name for name in RECENCIES if name in rows.values.columns), None)
    if recency is None:
        return np.zeros(len(rows))
    days = rows.values[recency].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(days), days / (days + 100), 1.0)
