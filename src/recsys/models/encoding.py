from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys.core.errors import MissingError
from recsys.core.task import FeatureSpec

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """Turns feature values into the numbers a model was fitted on; all it knows is plain data.

    names: the features used, in column order.
    vocabularies: for each category feature its known values, the commonest first; a value's code is its place there.
    """

    names: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]]

    @classmethod
    def learn(
        cls, specs: Iterable[FeatureSpec], parts: Iterable[pd.DataFrame], *, min_rows: int = 20, max_values: int = 250
    ) -> Self:
        """Collect the vocabularies of the category features among specs over all parts.

        parts: frames of values, one a cutoff.
        min_rows, max_values: a value seen in fewer rows, or beyond the commonest so many, is left to unknown.
        """
        specs, parts = tuple(specs), tuple(parts)
        vocabularies = {
            spec.name: _vocabulary([part[spec.name] for part in parts], min_rows=min_rows, max_values=max_values)
            for spec in specs
            if spec.kind == "category"
        }
        return cls(tuple(spec.name for spec in specs), vocabularies)

    @property
    def categories(self) -> list[int]:
        """Columns of the matrix that hold codes of a vocabulary."""
        return [at for at, name in enumerate(self.names) if name in self.vocabularies]

    def encode(self, parts: Iterable[pd.DataFrame]) -> Matrix:
        """Stack frames of values into one (n, f) float32 matrix.

        Unknown, infinite and never-seen values become NaN. `MissingError` names a feature that a frame lacks.
        """
        parts = tuple(parts)
        matrix = np.empty((sum(len(part) for part in parts), len(self.names)), dtype=np.float32)
        start = 0
        for part in parts:
            rows = slice(start, start + len(part))
            for at, name in enumerate(self.names):
                if name not in part.columns:
                    raise MissingError(f"feature {name}", "recsys features")
                matrix[rows, at] = self._column(name, part[name])
            start += len(part)
        matrix[np.isinf(matrix)] = np.nan
        return matrix

    def _column(self, name: str, values: pd.Series) -> Matrix:
        if name not in self.vocabularies:
            return values.to_numpy(dtype=np.float32, na_value=np.nan)
        codes = pd.Index(self.vocabularies[name], dtype=object).get_indexer(pd.Index(values.astype(object)))
        return np.where(codes < 0, np.nan, codes).astype(np.float32)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"names": list(self.names), "vocabularies": {k: list(v) for k, v in self.vocabularies.items()}}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave."""
        return cls(tuple(data["names"]), {name: tuple(values) for name, values in data["vocabularies"].items()})


def numbers(specs: Iterable[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Keep the features that are numbers."""
    return tuple(spec for spec in specs if spec.kind == "number")


def _vocabulary(columns: list[pd.Series], *, min_rows: int, max_values: int) -> tuple[str, ...]:
    counts = pd.concat([column.dropna().astype(str).value_counts() for column in columns]).groupby(level=0).sum()
    kept = counts[counts >= min_rows]
    order = sorted(kept.index, key=lambda value: (-int(kept[value]), str(value)))
    return tuple(str(value) for value in order[:max_values])
