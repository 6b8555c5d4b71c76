from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import FeatureSpec, Task, View
from recsys.models.blend import Blend, Parts, best_share, fit_parts, mix
from recsys.models.boosted import BoosterConfig
from recsys.models.calibration import Calibrator, Predictor, fit_calibrator, predict_held_out, with_rows
from recsys.models.encoding import Floats, numbers
from recsys.models.sampling import thin_negatives
from recsys.models.storage import Stored, load_model, save_model

FORMAT = "new_product/1"
AFFINITY = ("affinity_", "price_level_distance")
MEMBERS = (
    "purchase_days_90d",
    "days_since_purchase",
    "products_90d",
    "exploration_rate_90d",
    "launch_adoption_rate",
)
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
    linear_share: weight of the regression in the blend of log-odds; null = as held-out rows have it best, which needs
        more launches than most shops have: their luck is shared by all rows of a launch.
    penalty: ridge penalty of the logistic regression.
    max_rows: training rows kept when there are more; every purchase is kept, the others are drawn and weigh more.
    folds: groups of members for calibration when there is a single cutoff.
    """

    booster: BoosterConfig = BoosterConfig(rounds=150, leaves=7, learning_rate=0.04, min_leaf=100)
    linear_share: float | None = Field(default=0.25, ge=0, le=1)
    penalty: float = Field(default=10.0, gt=0)
    max_rows: int = Field(default=100_000, ge=100)
    folds: int = Field(default=3, ge=2)


@dataclass(frozen=True)
class NewProductModel:
    """Score: calibrated probability that the member buys the launched product in [as_of, as_of + horizon)."""

    task: Task
    blend: Blend
    calibrator: Calibrator

    def score(self, rows: Rows) -> Scores:
        """Score each member and launched product."""
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
        share = best_share(held) if self.config.linear_share is None else self.config.linear_share
        calibrator = fit_calibrator(mix(held.raw, share), held.labels["y"].to_numpy(dtype=np.float64))
        return NewProductModel(training.task, Blend(self._parts(training), share), calibrator)

    def _parts(self, training: TrainingSet) -> Parts:
        booster = self.config.booster
        kept, weights = thin_negatives(training, self.config.max_rows, seed=booster.seed)
        specs = known_before_launch(kept.specs)
        frames = [example.rows.values for example in kept.examples]
        y, weight = kept.y["y"].to_numpy(dtype=np.float64), np.concatenate(weights)
        return fit_parts(specs, frames, y, weight, booster, penalty=self.config.penalty)

    def _predictor(self, training: TrainingSet) -> Predictor:
        return self._parts(training).predict


def known_before_launch(specs: Iterable[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Keep the features that a product without sales has: the member's, its own attributes and kin, their affinity.

    Of the member only how much, how lately and how adventurously it buys: who the member is otherwise speaks through
    the affinities. Numbers only: a hundred launches are few enough for trees and weights to know them by the names of
    their brand and kind; how much the member buys of that brand and kind says the same of any product, also of
    unheard-of ones.
    """
    return tuple(
        spec
        for spec in numbers(specs)
        if (spec.view is View.MEMBER and spec.name in MEMBERS)
        or (spec.view is View.PRODUCT and spec.name in ATTRIBUTES)
        or (spec.view is View.MEMBER_PRODUCT and spec.name.startswith(AFFINITY))
    )


def trainer(config: Settings) -> NewProductTrainer:
    """Build the trainer from its settings."""
    return NewProductTrainer(NewProductConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> NewProductModel:
    """Read what `NewProductModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> NewProductModel:
        return NewProductModel(task, Blend.from_stored(stored), Calibrator.from_data(stored.state["calibrator"]))

    return load_model(folder, FORMAT, build)
