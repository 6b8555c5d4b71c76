from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from recsys.models.encoding import Encoder, Floats, Matrix


@dataclass(frozen=True)
class Linear:
    """A fitted logistic regression with the transform of its inputs, all of it arrays.

    A number enters as sign(x) log(1 + |x|), standardised, 0 when unknown, beside a column that says that it is unknown
    where some fitted rows did not know it; a category enters as one column for each value of its vocabulary.

    encoder: names and vocabularies. centre, scale: (f,) of the numbers; not used for categories.
    flagged: columns of the encoder, increasing, of the numbers that come with such a column.
    weights: (d,) of the columns that `_design` makes; bias: of the constant.
    """

    encoder: Encoder
    centre: Floats
    scale: Floats
    flagged: tuple[int, ...]
    weights: Floats
    bias: float

    def predict(self, values: pd.DataFrame) -> Floats:
        """(n,) probabilities of the rows of values, each the same whatever rows stand beside it; (0,) without rows."""
        # A product of matrix and vector adds up in an order that hangs on where a row stands; this does not.
        return np.asarray(expit(np.einsum("ij,j->i", self._design(values), self.weights) + self.bias))

    def contributions(self, values: pd.DataFrame) -> Floats:
        """(n, f) what each feature of the encoder adds to the log-odds, beside the constant."""
        worth = self._design(values) * self.weights
        owners = _owners(self.encoder, self.flagged)
        every = np.zeros((len(worth), len(self.encoder.names)))
        np.add.at(every.T, owners, worth.T)
        return every

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "encoder": self.encoder.to_data(),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "flagged": list(self.flagged),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave."""
        centre, scale, weights = (np.asarray(data[name], dtype=np.float64) for name in ("centre", "scale", "weights"))
        flagged = tuple(int(at) for at in data["flagged"])
        return cls(Encoder.from_data(data["encoder"]), centre, scale, flagged, weights, float(data["bias"]))

    def _design(self, values: pd.DataFrame) -> Floats:
        return _design(self.encoder, self.encoder.encode([values]), self.centre, self.scale, self.flagged)


def fit_linear(
    encoder: Encoder, parts: Iterable[pd.DataFrame], y: Floats, weight: Floats, *, penalty: float = 1.0
) -> Linear:
    """Fit by weighted log-loss with a ridge penalty; with one outcome only, its smoothed rate is told for every row.

    parts: frames of values, stacked; y: (n,) 0 or 1; weight: (n,).
    """
    matrix = encoder.encode(parts)
    centre, scale = _moments(_squeezed(matrix), weight)
    unknown = np.asarray(np.isnan(matrix).any(axis=0))
    flagged = tuple(at for at in _numbers(encoder) if unknown[at])
    design = _design(encoder, matrix, centre, scale, flagged)
    if len(np.unique(y)) < 2:
        rate = (float(weight @ y) + 0.5) / (float(weight.sum()) + 1)
        return Linear(encoder, centre, scale, flagged, np.zeros(design.shape[1]), float(np.log(rate / (1 - rate))))
    fitted = LogisticRegression(C=1 / penalty, solver="newton-cholesky", max_iter=200)
    fitted.fit(design, y, sample_weight=weight)
    return Linear(encoder, centre, scale, flagged, fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]))


def _squeezed(matrix: Matrix) -> Floats:
    size = np.abs(matrix, dtype=np.float64)
    return np.copysign(np.log1p(size, out=size), matrix)


def _moments(squeezed: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and standard deviation of what is known in each column; 0 and 1 where nothing is."""
    known = np.isfinite(squeezed)
    filled, weights = np.where(known, squeezed, 0.0), known * weight[:, None]
    total = np.maximum(weights.sum(axis=0), 1e-12)
    centre = (weights * filled).sum(axis=0) / total
    spread = np.sqrt((weights * (filled - centre) ** 2).sum(axis=0) / total)
    return centre, np.where(spread > 1e-9, spread, 1.0)


def _numbers(encoder: Encoder) -> list[int]:
    categories = set(encoder.categories)
    return [at for at in range(len(encoder.names)) if at not in categories]


def _owners(encoder: Encoder, flagged: tuple[int, ...]) -> "np.ndarray":
    """(d,) the feature that each column of `_design` comes from."""
    sizes = [(at, len(encoder.vocabularies[encoder.names[at]])) for at in encoder.categories]
    return np.array([*_numbers(encoder), *flagged, *(at for at, size in sizes for _ in range(size))], dtype=np.int64)


def _design(encoder: Encoder, matrix: Matrix, centre: Floats, scale: Floats, flagged: tuple[int, ...]) -> Floats:
    """(n, d) columns: the numbers, whether each flagged one is unknown, and one for each value of each vocabulary."""
    numbers = _numbers(encoder)
    squeezed = (_squeezed(matrix[:, numbers]) - centre[numbers]) / scale[numbers]
    filled = np.clip(np.where(np.isnan(squeezed), 0.0, squeezed), -8, 8)
    blocks = [filled, np.isnan(matrix[:, list(flagged)]).astype(np.float64)]
    for at in encoder.categories:
        size = len(encoder.vocabularies[encoder.names[at]])
        blocks.append((matrix[:, [at]] == np.arange(size)).astype(np.float64))
    return np.hstack(blocks)
