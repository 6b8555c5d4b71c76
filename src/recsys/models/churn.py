from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task, View
from recsys.models.blend import Blend, Parts, best_share, fit_parts, mix
from recsys.models.boosted import BoosterConfig
from recsys.models.calibration import Calibrator, Predictor, fit_calibrator, predict_held_out_widely, with_rows
from recsys.models.encoding import Floats
from recsys.models.storage import Stored, load_model, save_model

FORMAT = "churn/2"

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
    penalty: ridge penalty of the logistic regression.
    linear_share: weight of the regression in the blend of log-odds; null = as held-out rows have it best.
    folds: groups of members for the held-out predictions.
    """

    booster: BoosterConfig = BoosterConfig(rounds=300, leaves=7, learning_rate=0.02, min_leaf=40, feature_share=0.2)
    penalty: float = Field(default=100.0, gt=0)
    linear_share: float | None = Field(default=None, ge=0, le=1)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class ChurnModel:
    """Score: calibrated probability that the member buys nothing in [as_of, as_of + horizon)."""

    task: Task
    blend: Blend
    calibrator: Calibrator

    def score(self, rows: Rows) -> Scores:
        """Score each member."""
        return Scores.of(rows, [self.calibrator.apply(self.blend.predict(rows))])

    @property
    def features(self) -> frozenset[str]:
        """Name what the model looks at: see `Selective`."""
        return self.blend.features

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the score: see `Explained`."""
        return self.blend.contributions(rows)

    def gain(self) -> dict[str, float]:
        """Tell what the splits gained: see `Grown`."""
        return self.blend.gain()

    def save(self, folder: Path) -> None:
        """Write the trees, the regression and the calibration."""
        save_model(folder, FORMAT, self.blend.to_stored({"calibrator": self.calibrator.to_data()}))


@dataclass(frozen=True)
class ChurnTrainer:
    """LightGBM and a logistic regression on the member's features.

    How they are mixed and calibrated is learnt from predictions for the last cutoff by the earlier ones and for every
    member by the others; then both are fitted again on all cutoffs.
    """

    config: ChurnConfig

    def fit(self, training: TrainingSet) -> ChurnModel:
        """Fit; `MissingError` when no cutoff has a row."""
        training = with_rows(training)
        held = predict_held_out_widely(training, self._predictor, folds=self.config.folds)
        share = best_share(held) if self.config.linear_share is None else self.config.linear_share
        calibrator = fit_calibrator(mix(held.raw, share), held.labels["y"].to_numpy(dtype=np.float64))
        return ChurnModel(training.task, Blend(self._parts(training), share), calibrator)

    def _parts(self, training: TrainingSet) -> Parts:
        frames = [example.rows.values for example in training.examples]
        y = training.y["y"].to_numpy(dtype=np.float64)
        return fit_parts(training.specs, frames, y, np.ones(len(y)), self.config.booster, penalty=self.config.penalty)

    def _predictor(self, training: TrainingSet) -> Predictor:
        return self._parts(training).predict


def trainer(config: Settings) -> ChurnTrainer:
    """Build the trainer from its settings."""
    return ChurnTrainer(ChurnConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> ChurnModel:
    """Read what `ChurnModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> ChurnModel:
        return ChurnModel(task, Blend.from_stored(stored), Calibrator.from_data(stored.state["calibrator"]))

    return load_model(folder, FORMAT, build)
