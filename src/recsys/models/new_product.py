from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field
from scipy.special import expit, logit

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import FeatureSpec, Task, View
from recsys.models.boosted import Boosted, BoosterConfig, grow, spread
from recsys.models.calibration import EDGE, Calibrator, Predictor, fit_calibrator, predict_held_out, with_rows
from recsys.models.encoding import Encoder, Floats, numbers
from recsys.models.linear import Linear, fit_linear
from recsys.models.sampling import thin_negatives
from recsys.models.storage import Stored, load_model, save_model

FORMAT = "new_product/1"
AFFINITY = ("affinity_", "price_level_distance")
ATTRIBUTES = (
    "product_days_since_launch",
    "product_is_consumable",
    "product_list_price",
    "product_price_level",
    "product_brand_buyers_90d",
    "product_subcategory_buyers_90d",
    "product_category_buyers_90d",
    "product_brand_share_of_category",
)

TASK = Task(
    name="new_product",
    horizon=28,
    keys=("member_id", "product_id"),
    views=(View.MEMBER_PRODUCT, View.MEMBER, View.PRODUCT),
    where="is_launch = 1",
    scores=("score",),
    metric="pr_auc",
)


class NewProductConfig(Settings):
    """Choices of the launch model.

    booster: how its trees grow.
    linear_share: weight of the logistic regression in the blend of log-odds; the trees have the rest.
    penalty: ridge penalty of the logistic regression.
    max_rows: training rows kept when there are more; every purchase is kept, the others are drawn and weigh more.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig = BoosterConfig(rounds=150, leaves=7, learning_rate=0.04, min_leaf=100)
    linear_share: float = Field(default=0.5, ge=0, le=1)
    penalty: float = Field(default=10.0, gt=0)
    max_rows: int = Field(default=100_000, ge=100)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class Blend:
    """Trees and a logistic regression on the same features; their log-odds are averaged."""

    boosted: Boosted
    linear: Linear
    linear_share: float

    def predict(self, rows: Rows) -> Floats:
        """(n,) raw probabilities."""
        trees, line = (
            logit(np.clip(part.predict(rows.values), EDGE, 1 - EDGE)) for part in (self.boosted, self.linear)
        )
        return np.asarray(expit((1 - self.linear_share) * trees + self.linear_share * line))

    def contributions(self, rows: Rows) -> Floats:
        """(n, f) what each feature adds to the blended log-odds."""
        line = spread(self.linear.contributions(rows.values), self.linear.encoder, rows)
        return (1 - self.linear_share) * self.boosted.contributions(rows) + self.linear_share * line


@dataclass(frozen=True)
class NewProductModel:
    """Score: calibrated probability that the member buys the launched product in [as_of, as_of + horizon)."""

    task: Task
    blend: Blend
    calibrator: Calibrator

    def score(self, rows: Rows) -> Scores:
        """Score each member and launched product."""
        return Scores.of(rows, [self.calibrator.apply(self.blend.predict(rows))])

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the score: see `Explained`."""
        return self.blend.contributions(rows)

    def save(self, folder: Path) -> None:
        """Write the trees, the regression and the calibration."""
        state = {
            "calibrator": self.calibrator.to_data(),
            "linear": self.blend.linear.to_data(),
            "linear_share": self.blend.linear_share,
        }
        save_model(folder, FORMAT, Stored(state, {"trees": self.blend.boosted}))


@dataclass(frozen=True)
class NewProductTrainer:
    """LightGBM and logistic regression, on what is known of a product before its first sale.

    Features of a pair's or a product's own sales are left out: a launch that is already selling would teach a rule that
    says nothing on the first day. Calibrated on the last cutoff, then fitted again on all cutoffs.
    """

    config: NewProductConfig

    def fit(self, training: TrainingSet) -> NewProductModel:
        """Fit; `MissingError` when no cutoff has a launch."""
        training = with_rows(training)
        held = predict_held_out(training, self._predictor, folds=self.config.folds)
        calibrator = fit_calibrator(held.raw, held.labels["y"].to_numpy(dtype=np.float64))
        return NewProductModel(training.task, self._blend(training), calibrator)

    def _blend(self, training: TrainingSet) -> Blend:
        config = self.config.booster
        kept, weights = thin_negatives(training, self.config.max_rows, seed=config.seed)
        parts = [example.rows.values for example in kept.examples]
        encoder = Encoder.learn(known_before_launch(kept.specs), parts)
        y, weight = kept.y["y"].to_numpy(dtype=np.float64), np.concatenate(weights)
        boosted = grow(encoder, parts, y, config, weight)
        linear = fit_linear(encoder, parts, y, weight, penalty=self.config.penalty)
        return Blend(boosted, linear, self.config.linear_share)

    def _predictor(self, training: TrainingSet) -> Predictor:
        return self._blend(training).predict


def known_before_launch(specs: Iterable[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Keep the features that a product without sales has: the member's, its own attributes and kin, their affinity.

    Numbers only. A hundred launches are few enough for trees and weights to know them by the names of their brand and
    kind; how much the member buys of that brand and kind says the same of any product, also of unheard-of ones.
    """
    return tuple(
        spec
        for spec in numbers(specs)
        if spec.view is View.MEMBER
        or (spec.view is View.PRODUCT and spec.name in ATTRIBUTES)
        or (spec.view is View.MEMBER_PRODUCT and spec.name.startswith(AFFINITY))
    )


def trainer(config: Settings) -> NewProductTrainer:
    """Build the trainer from its settings."""
    return NewProductTrainer(NewProductConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> NewProductModel:
    """Read what `NewProductModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> NewProductModel:
        state = stored.state
        blend = Blend(stored.boosted["trees"], Linear.from_data(state["linear"]), float(state["linear_share"]))
        return NewProductModel(task, blend, Calibrator.from_data(state["calibrator"]))

    return load_model(folder, FORMAT, build)
