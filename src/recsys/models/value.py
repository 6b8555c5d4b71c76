from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.errors import MissingError
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task, View
from recsys.models.boosted import SQUARES, Binned, Boosted, BoosterConfig, Objective
from recsys.models.calibration import with_rows
from recsys.models.encoding import Encoder, Floats, numbers
from recsys.models.storage import Stored, load_model, save_model

FORMAT = "value/1"
SINCE = "days_since_first_purchase"
SPANS = (90, 365)  # days back over which a member's pace is taken
PURCHASES = "purchase_days"  # features are named <this>_<span>d
MONEY = "money"

TASK = Task(
    name="value",
    horizon=90,
    keys=("member_id",),
    views=(View.MEMBER,),
    where="days_since_purchase < 365",
    scores=("score", "purchases", "margin"),
    metric="gini",
)


class ValueConfig(Settings):
    """Choices of the value model.

    booster: how the trees of each of its three parts grow.
    prior_days: days at everybody's mean pace that are mixed into a member's own.
    purchases_power, money_power: how the variance of purchases and of money follows their mean.
    """

    booster: BoosterConfig = BoosterConfig(rounds=100, leaves=7, learning_rate=0.03, min_leaf=40, feature_share=0.3)
    prior_days: float = Field(default=14.0, gt=0)
    purchases_power: float = Field(default=1.2, gt=1, lt=2)
    money_power: float = Field(default=1.5, gt=1, lt=2)


@dataclass(frozen=True)
class Pace:
    """What a member who goes on as before would come to: the trees say how much more or less it will be.

    A member's purchases (or money) of a span, over as much of the span as the member has been known, with `prior_days`
    at everybody's pace mixed in; the geometric mean over the spans. Being a rate it means the same whether the data
    reach back three months or ten years, which sums do not.

    name: the feature of the sums, without its span. usual: everybody's mean a horizon, above 0. horizon: in days.
    """

    name: str
    usual: float
    prior_days: float
    horizon: int

    def logs(self, values: pd.DataFrame) -> dict[str, Floats]:
        """Feature -> (n,) what its span adds to the log of the pace, from log(usual); 0 for members of whom nothing is
        known. `MissingError` names a feature that the values lack.
        """
        known = _column(values, SINCE)
        a_day = self.usual / self.horizon
        parts = {}
        for span in SPANS:
            sums = _column(values, f"{self.name}_{span}d") + a_day * self.prior_days
            expected = a_day * (np.minimum(known, span) + self.prior_days)
            parts[f"{self.name}_{span}d"] = np.log(sums / expected) / len(SPANS)
        return parts

    @property
    def features(self) -> frozenset[str]:
        """Names of the features that the pace is made of."""
        return frozenset({SINCE, *(f"{self.name}_{span}d" for span in SPANS)})

    def log(self, values: pd.DataFrame) -> Floats:
        """(n,) log of the pace over the horizon."""
        return np.asarray(np.log(self.usual) + sum(self.logs(values).values()))

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"name": self.name, "usual": self.usual, "prior_days": self.prior_days, "horizon": self.horizon}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave."""
        return cls(str(data["name"]), float(data["usual"]), float(data["prior_days"]), int(data["horizon"]))


@dataclass(frozen=True)
class Amount:
    """An expected amount: the pace times the factor that the trees give."""

    pace: Pace
    factor: Boosted

    def predict(self, values: pd.DataFrame) -> Floats:
        """(n,) expected amounts, above 0."""
        return np.asarray(np.exp(self.pace.log(values)) * self.factor.predict(values))

    @property
    def features(self) -> frozenset[str]:
        """Names of the features that the pace and the trees look at."""
        return self.pace.features | frozenset(self.factor.encoder.names)

    def contributions(self, rows: Rows) -> Floats:
        """(n, f) what each of `rows.specs` adds to the log of the amount, through the pace and through the trees."""
        every = self.factor.contributions(rows)
        place = {spec.name: at for at, spec in enumerate(rows.specs)}
        for name, logs in self.pace.logs(rows.values).items():
            every[:, place[name]] += logs
        return every


@dataclass(frozen=True)
class ValueModel:
    """Score: expected money of the member in [as_of, as_of + horizon). purchases: expected purchase days. margin: the
    expected money times the share of it that is left, by the margins that the labels were made with.
    """

    task: Task
    money: Amount
    purchases: Amount
    kept: Boosted

    def score(self, rows: Rows) -> Scores:
        """Score each member."""
        money = self.money.predict(rows.values)
        kept = np.clip(self.kept.predict(rows.values), -1, 1)
        return Scores.of(rows, [money, self.purchases.predict(rows.values), money * kept])

    @property
    def features(self) -> frozenset[str]:
        """Name what the model looks at: see `Selective`."""
        return self.money.features | self.purchases.features | frozenset(self.kept.encoder.names)

    def contributions(self, rows: Rows) -> Floats:
        """Tell what each feature adds to the log of the money: see `Explained`."""
        return self.money.contributions(rows)

    def gain(self) -> dict[str, float]:
        """Tell what the splits gained: see `Grown`."""
        return self.money.factor.gain()

    def save(self, folder: Path) -> None:
        """Write the two paces and the three ensembles."""
        state = {"money": self.money.pace.to_data(), "purchases": self.purchases.pace.to_data()}
        trees = {"money": self.money.factor, "purchases": self.purchases.factor, "kept": self.kept}
        save_model(folder, FORMAT, Stored(state, trees))


@dataclass(frozen=True)
class ValueTrainer:
    """LightGBM over the member's own pace: Tweedie for purchases and for money, squares for the share that is left.

    Text features are left out: beside the numbers they gain nothing.
    """

    config: ValueConfig

    def fit(self, training: TrainingSet) -> ValueModel:
        """Fit; `MissingError` when no cutoff has a row or nobody bought after any."""
        training = with_rows(training)
        y = training.y
        if not y["money"].sum():
            raise MissingError(f"purchases after the training cutoffs of {training.task.name}", "recsys ingest")
        values = training.values
        encoder = Encoder.learn(numbers(training.specs), [values])
        matrix = encoder.encode([values])

        def amount(name: str, label: str, power: float) -> Amount:
            amounts = y[label].to_numpy(dtype=np.float64)
            pace = Pace(name, float(amounts.mean()), self.config.prior_days, training.task.horizon)
            binned = Binned(encoder, matrix, self.config.booster, Objective("tweedie", power))
            return Amount(pace, binned.grow(amounts, start=pace.log(values)))

        money = amount(MONEY, "money", self.config.money_power)
        purchases = amount(PURCHASES, "purchases", self.config.purchases_power)
        paid = y["money"].to_numpy(dtype=np.float64)
        bought = paid > 0
        share = np.clip(y["margin"].to_numpy(dtype=np.float64)[bought] / paid[bought], -1, 1)
        kept = Binned(encoder, matrix[bought], self.config.booster, SQUARES).grow(share, paid[bought])
        return ValueModel(training.task, money, purchases, kept)


def trainer(config: Settings) -> ValueTrainer:
    """Build the trainer from its settings."""
    return ValueTrainer(ValueConfig.checked(config.model_dump()))


def load(folder: Path, task: Task) -> ValueModel:
    """Read what `ValueModel.save` wrote; `ArtifactError` when it is no such folder."""

    def build(stored: Stored) -> ValueModel:
        money, purchases = (
            Amount(Pace.from_data(stored.state[name]), stored.boosted[name]) for name in ("money", "purchases")
        )
        return ValueModel(task, money, purchases, stored.boosted["kept"])

    return load_model(folder, FORMAT, build)


def _column(values: pd.DataFrame, name: str) -> Floats:
    """(n,) a feature, 0 where it is unknown."""
    if name not in values.columns:
        raise MissingError(f"feature {name}", "recsys features")
    column = values[name].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(column), np.maximum(column, 0), 0.0)
