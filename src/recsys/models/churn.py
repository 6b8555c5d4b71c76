from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task, View
from recsys.models.boosted import Boosted, BoosterConfig, grow
from recsys.models.calibration import Calibrator, Predictor, fit_calibrator, predict_held_out, with_rows
from recsys.models.encoding import Encoder, Floats
from recsys.models.storage import Stored, load_model, save_model

FORMAT = "churn/1"

TASK = Task(
    name="churn",
    horizon=28,
    keys=("member_id",),
    views=(View.MEMBER,),
    where="days_since_purchase < 84",
    scores=("score",),
    metric="auc",
)


class ChurnConfig(Settings):
    """Choices of the churn model.

    booster: how its trees grow.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig = BoosterConfig(rounds=200, leaves=7, learning_rate=0.03, min_leaf=40, feature_share=0.3)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class ChurnModel:
    """Score: calibrated probability that the member buys nothing in [as_of, as_of + horizon)."""

    task: Task
    boosted: Boosted
    calibrator: Calibrator

    def score(self, rows: Rows) -> Scores:
        """Score each member."""
        return Scores.of(rows, [self.calibrator.apply(self.boosted.predict(rows.values))])

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the score: see `Explained`."""
        return self.boosted.contributions(rows)

    def save(self, folder: Path) -> None:
        """Write the trees and the calibration."""
        save_model(folder, FORMAT, Stored({"calibrator": self.calibrator.to_data()}, {"trees": self.boosted}))


@dataclass(frozen=True)
class ChurnTrainer:
    """LightGBM on the member's features, calibrated on the last cutoff, then grown again on all cutoffs."""

    config: ChurnConfig

    def fit(self, training: TrainingSet) -> ChurnModel:
        """Fit; `MissingError` when no cutoff has a row."""
        training = with_rows(training)
        held = predict_held_out(training, self._predictor, folds=self.config.folds)
        calibrator = fit_calibrator(held.raw, held.labels["y"].to_numpy(dtype=np.float64))
        return ChurnModel(training.task, self._grow(training), calibrator)

    def _grow(self, training: TrainingSet) -> Boosted:
        parts = [example.rows.values for example in training.examples]
        encoder = Encoder.learn(training.specs, parts)
        return grow(encoder, parts, training.y["y"].to_numpy(dtype=np.float64), self.config.booster)

    def _predictor(self, training: TrainingSet) -> Predictor:
        boosted = self._grow(training)
        return lambda rows: boosted.predict(rows.values)


def trainer(config: Settings) -> ChurnTrainer:
    """Build the trainer from its settings."""
    return ChurnTrainer(ChurnConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> ChurnModel:
    """Read what `ChurnModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> ChurnModel:
        return ChurnModel(task, stored.boosted["trees"], Calibrator.from_data(stored.state["calibrator"]))

    return load_model(folder, FORMAT, build)
