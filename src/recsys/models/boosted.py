from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import Field

from recsys.core.config import Settings
from recsys.core.errors import ArtifactError
from recsys.core.frames import Rows
from recsys.models.encoding import Encoder, Floats, Matrix

BIN_ROWS = 20_000  # that decide where a feature's bins end; more move hardly any end and take several times as long
MANY_CELLS = 5_000_000  # rows x features from which a second core is worth its waiting


class BoosterConfig(Settings):
    """How LightGBM grows its trees; the names in brackets are LightGBM's own.

    rounds: trees (num_iterations).
    leaves: leaves a tree (num_leaves).
    learning_rate: share of a tree's correction that is taken.
    min_leaf: rows a leaf needs (min_data_in_leaf).
    l2: ridge penalty on leaf values (lambda_l2).
    feature_share: share of features each tree may use (feature_fraction).
    row_share: share of rows each tree sees (bagging_fraction, drawn anew every tree).
    bins: histogram bins a feature (max_bin).
    smoothing: how alike the values of a category are held until their rows say otherwise (cat_smooth and cat_l2).
    group_rows: rows a group of category values needs (min_data_per_group).
    seed: of all its draws.
    threads: processor cores for large data (small data is faster on one); the trees do not depend on it.
    """

    rounds: int = Field(default=200, ge=1, le=5000)
    leaves: int = Field(default=31, ge=2, le=1024)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    min_leaf: int = Field(default=50, ge=1)
    l2: float = Field(default=5.0, ge=0)
    feature_share: float = Field(default=0.5, gt=0, le=1)
    row_share: float = Field(default=0.8, gt=0, le=1)
    bins: int = Field(default=127, ge=2, le=255)
    smoothing: float = Field(default=100.0, ge=0)
    group_rows: int = Field(default=300, ge=1)
    seed: int = Field(default=7, ge=0)
    threads: int = Field(default=2, ge=1)


@dataclass(frozen=True)
class Objective:
    """What trees are fitted to, and so what they predict.

    name: LightGBM's: "binary", log-loss, which gives probabilities; "tweedie", for amounts of which many are 0, which
        gives means above 0 (Joergensen, Exponential Dispersion Models, JRSS B 49, 1987); "regression", squared error.
    power: of the mean that the variance of an amount follows, for "tweedie": near 1 for counts, near 2 for sums.
    """

    name: Literal["binary", "tweedie", "regression"]
    power: float = 1.5


CHANCE = Objective("binary")
SQUARES = Objective("regression")


@dataclass(frozen=True)
class Boosted:
    """Fitted trees with the encoder of their inputs; what they predict is the objective's: probabilities, means."""

    encoder: Encoder
    trees: lgb.Booster
    threads: int

    def predict(self, values: pd.DataFrame) -> Floats:
        """(n,) predictions for the rows of values; (0,) when there are none."""
        return self.predict_encoded(self.encoder.encode([values]))

    def predict_encoded(self, matrix: Matrix) -> Floats:
        """(n,) predictions for rows that the encoder has already turned into a matrix."""
        if not len(matrix):
            return np.empty(0)
        threads = self.threads if matrix.size >= MANY_CELLS else 1
        return np.asarray(self.trees.predict(matrix, num_threads=threads), dtype=np.float64)

    def contributions(self, rows: Rows) -> Floats:
        """(n, f) what each of `rows.specs` adds to the log-odds, to the log of a mean, or to a number, by
        TreeSHAP; 0 for features that the trees lack.
        """
        if not len(rows):
            return np.zeros((0, len(rows.specs)))
        shares = self.trees.predict(self.encoder.encode([rows.values]), pred_contrib=True, num_threads=1)
        return spread(np.asarray(shares)[:, :-1], self.encoder, rows)

    def gain(self) -> dict[str, float]:
        """Total gain of the splits on each feature, largest first."""
        gains = zip(self.encoder.names, self.trees.feature_importance("gain"), strict=True)
        return dict(sorted(((name, float(gain)) for name, gain in gains), key=lambda item: -item[1]))

    def write(self, path: Path) -> None:
        """Write the trees in LightGBM's text format."""
        path.write_text(self.trees.model_to_string(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path, encoder: Encoder, threads: int) -> Self:
        """Read trees whose digest was checked before: LightGBM ends the process on a truncated file."""
        try:
            trees = lgb.Booster(model_str=path.read_text(encoding="utf-8"))
        except (OSError, ValueError, lgb.basic.LightGBMError) as error:
            raise ArtifactError(path, "is no LightGBM model") from error
        if trees.num_feature() != len(encoder.names):
            raise ArtifactError(path, "was fitted on other features than its manifest lists")
        return cls(encoder, trees, threads)


class Binned:
    """Encoded rows in LightGBM's bins, made once to grow several ensembles on the same rows.

    matrix: (n, f) of `encoder`.
    """

    def __init__(self, encoder: Encoder, matrix: Matrix, config: BoosterConfig, objective: Objective = CHANCE) -> None:
        self._encoder = encoder
        self._config = config
        self._parameters = _parameters(config, objective, config.threads if matrix.size >= MANY_CELLS else 1)
        self._data = lgb.Dataset(
            matrix,
            label=np.zeros(len(matrix), dtype=np.float32),
            feature_name=[f"f{at}" for at in range(len(encoder.names))],
            categorical_feature=encoder.categories,
            params=self._parameters,
            free_raw_data=True,
        )

    def grow(self, y: Floats, weight: Floats | None = None, *, start: Floats | None = None) -> Boosted:
        """Grow trees on labels y (n,), 0 or 1 for chances, with weights (n,), 1 when None.

        start: (n,) what each row is given before the first tree, on the objective's additive scale; the trees then
            predict what is to be added to it: for "tweedie" with the log of a mean, the factor on that mean.
        """
        self._data.construct()
        self._data.set_label(y.astype(np.float32))
        self._data.set_weight(None if weight is None else weight.astype(np.float32))
        self._data.set_init_score(start)
        trees = lgb.train(self._parameters, self._data, num_boost_round=self._config.rounds)
        # The trees that came back from text are the ones used, so that a saved model cannot score otherwise.
        again = lgb.Booster(model_str=trees.model_to_string())
        return Boosted(self._encoder, again, self._config.threads)


def grow(
    encoder: Encoder, parts: Iterable[pd.DataFrame], y: Floats, config: BoosterConfig, weight: Floats | None = None
) -> Boosted:
    """Grow trees by log-loss on stacked frames of values; y and weight as in `Binned.grow`."""
    return Binned(encoder, encoder.encode(parts), config).grow(y, weight)


def spread(shares: Floats, encoder: Encoder, rows: Rows) -> Floats:
    """(n, f) of an encoder's features -> (n, f) of `rows.specs`, 0 where the encoder lacks one."""
    place = {spec.name: at for at, spec in enumerate(rows.specs)}
    every = np.zeros((len(rows), len(rows.specs)))
    every[:, [place[name] for name in encoder.names]] = shares
    return every


def _parameters(config: BoosterConfig, objective: Objective, threads: int) -> dict[str, object]:
    return {
        "objective": objective.name,
        "tweedie_variance_power": objective.power,
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_leaf,
        "lambda_l2": config.l2,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "max_bin": config.bins,
        "bin_construct_sample_cnt": BIN_ROWS,
        "cat_smooth": config.smoothing,
        "cat_l2": config.smoothing,
        "min_data_per_group": config.group_rows,
        "seed": config.seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
