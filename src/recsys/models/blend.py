from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from recsys.core.frames import Rows
from recsys.core.task import FeatureSpec
from recsys.models.boosted import Boosted, BoosterConfig, grow, spread
from recsys.models.calibration import EDGE, HeldOut
from recsys.models.encoding import Encoder, Floats, numbers
from recsys.models.linear import Linear, fit_linear
from recsys.models.storage import Stored

SHARES = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class Parts:
    """Trees and a logistic regression on the same rows, before it is known how they are mixed."""

    boosted: Boosted
    linear: Linear

    def predict(self, rows: Rows) -> Floats:
        """(n, 2) log-odds by the trees and by the regression."""
        both = [part.predict(rows.values) for part in (self.boosted, self.linear)]
        return np.asarray(logit(np.clip(np.column_stack(both), EDGE, 1 - EDGE)))


@dataclass(frozen=True)
class Blend:
    """Trees and a logistic regression whose log-odds are averaged.

    Where rows are few or purchases rare, trees follow chance and the regression is better; where they are many, trees
    find what it cannot. Source: Wolpert, "Stacked generalization", Neural Networks 5, 1992, with one weight.

    linear_share: weight of the regression, in [0, 1]; the trees have the rest.
    """

    parts: Parts
    linear_share: float

    def predict(self, rows: Rows) -> Floats:
        """(n,) raw probabilities."""
        return mix(self.parts.predict(rows), self.linear_share)

    @property
    def features(self) -> frozenset[str]:
        """Names of the features that either part looks at."""
        return frozenset(self.parts.boosted.encoder.names) | frozenset(self.parts.linear.encoder.names)

    def contributions(self, rows: Rows) -> Floats:
        """(n, f) what each of `rows.specs` adds to the blended log-odds."""
        linear = self.parts.linear
        line = spread(linear.contributions(rows.values), linear.encoder, rows)
        return (1 - self.linear_share) * self.parts.boosted.contributions(rows) + self.linear_share * line

    def gain(self) -> dict[str, float]:
        """Tell what the splits of the trees gained."""
        return self.parts.boosted.gain()

    def to_stored(self, state: dict[str, Any]) -> Stored:
        """Join it with the rest of a model's state, to be saved."""
        mine = {"linear": self.parts.linear.to_data(), "linear_share": self.linear_share}
        return Stored({**state, **mine}, {"trees": self.parts.boosted})

    @classmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Read what `to_stored` gave."""
        parts = Parts(stored.boosted["trees"], Linear.from_data(stored.state["linear"]))
        return cls(parts, float(stored.state["linear_share"]))


def fit_parts(
    specs: Sequence[FeatureSpec],
    frames: Iterable[pd.DataFrame],
    y: Floats,
    weight: Floats,
    booster: BoosterConfig,
    *,
    penalty: float,
) -> Parts:
    """Fit both parts; the trees on all specs, the regression on those that are numbers.

    frames: values, one frame a cutoff, stacked; y: (n,) 0 or 1; weight: (n,).
    """
    frames = tuple(frames)
    boosted = grow(Encoder.learn(specs, frames), frames, y, booster, weight)
    linear = fit_linear(Encoder.learn(numbers(specs), frames), frames, y, weight, penalty=penalty)
    return Parts(boosted, linear)


def mix(parts: Floats, linear_share: float) -> Floats:
    """(n, 2) log-odds of trees and regression -> (n,) probabilities."""
    return np.asarray(expit((1 - linear_share) * parts[:, 0] + linear_share * parts[:, 1]))


def best_share(held: HeldOut) -> float:
    """Choose the share of the regression by the log-loss of held-out rows; of equal ones the smallest."""
    y = held.labels["y"].to_numpy(dtype=np.float64)
    losses = []
    for share in SHARES:
        z = (1 - share) * held.raw[:, 0] + share * held.raw[:, 1]
        losses.append(float(np.sum(np.logaddexp(0, z) - y * z)))
    return float(SHARES[int(np.argmin(losses))])
