"""What a model's scores are made of: which features matter, how much, and in which direction."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.core.frames import Rows
from recsys.core.task import FeatureSpec
from recsys.models.contract import Explained, Grown, Model
from recsys.models.encoding import Floats

SAMPLE = 1000


@dataclass(frozen=True)
class Explanation:
    """What one model's scores of one day's rows are made of, on a sample of the rows.

    values: (n, f) features, in the order of `specs`. contributions: (n, f) as `Explained` tells them.
    gain: feature -> share of the gain of all splits; empty where the model has no trees.
    """

    specs: tuple[FeatureSpec, ...]
    values: pd.DataFrame
    contributions: Floats
    gain: Mapping[str, float]


@dataclass(frozen=True)
class Importance:
    """How much one feature matters.

    contribution: mean of |what it adds to a score|, on the model's own scale. share: of all features' contributions.
    gain: share of the gain of all splits; None where the model has no trees.
    """

    feature: str
    formula: str
    contribution: float
    share: float
    gain: float | None


def explain(model: Model, rows: Rows, *, sample: int = SAMPLE, seed: int = 0) -> Explanation | None:
    """Explain a model on at most `sample` rows drawn from these; None when it cannot be or there are no rows."""
    if not isinstance(model, Explained) or not len(rows):
        return None
    drawn = np.zeros(len(rows), dtype=np.bool_)
    drawn[np.random.default_rng(seed).permutation(len(rows))[:sample]] = True
    some = rows.take(drawn)
    gain = model.gain() if isinstance(model, Grown) else {}
    total = sum(gain.values()) or 1.0
    shares = {name: value / total for name, value in gain.items()}
    return Explanation(some.specs, some.values, model.contributions(some), shares)


def importances(explanation: Explanation) -> tuple[Importance, ...]:
    """List the features that matter at all, the largest mean contribution first."""
    means = np.abs(explanation.contributions).mean(axis=0)
    total = float(means.sum()) or 1.0
    gain = explanation.gain
    found = [
        Importance(
            spec.name, spec.formula, float(mean), float(mean) / total, gain.get(spec.name, 0.0) if gain else None
        )
        for spec, mean in zip(explanation.specs, means, strict=True)
        if mean > 0 or gain.get(spec.name)
    ]
    return tuple(sorted(found, key=lambda one: (-one.contribution, one.feature)))
