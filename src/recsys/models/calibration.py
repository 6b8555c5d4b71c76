from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

from recsys.core.errors import MissingError
from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.models.encoding import Floats

EDGE = 1e-9

Predictor = Callable[[Rows], Floats]
"""(n,) or (n, h) predictions of rows."""
Fit = Callable[[TrainingSet], Predictor]


@dataclass(frozen=True)
class Calibrator:
    """A strictly increasing map from raw to calibrated probabilities, of three numbers.

    logit q = a ln p - b ln(1 - p) + c with a, b > 0; (1, 1, 0) leaves p as it is. Being strictly increasing it keeps
    the ranking, which the steps of an isotonic map would not.
    Source: Kull, Silva Filho, Flach, "Beta calibration", AISTATS 2017.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def apply(self, raw: Floats) -> Floats:
        """(n,) raw probabilities -> (n,) calibrated ones, inside (0, 1)."""
        return np.asarray(expit(_inputs(raw) @ np.array([self.a, self.b, self.c])))

    def shifting(self, raw: Floats, trust: float) -> Self:
        """Return the map that moves the mean log-odds of (n,) raw probabilities a share of the way this one moves it.

        trust: 1 = all the way, 0 = not at all. How probabilities are spread around their level stays corrected in full.
        """
        shift = float(np.mean(logit(self.apply(raw)) - logit(np.clip(raw, EDGE, 1 - EDGE)))) if len(raw) else 0.0
        return type(self)(self.a, self.b, self.c - (1 - trust) * shift)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"a": self.a, "b": self.b, "c": self.c}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Read what `to_data` gave."""
        return cls(float(data["a"]), float(data["b"]), float(data["c"]))


def fit_calibrator(raw: Floats, y: Floats, weight: Floats | None = None) -> Calibrator:
    """Fit by weighted log-loss, shrunk a little to the identity so that few or one-sided outcomes stay harmless.

    raw: (n,) predictions of rows that the model was not fitted on; y: (n,) 0 or 1; weight: (n,), 1 when None.
    """
    inputs, start = _inputs(raw), np.array([1.0, 1.0, 0.0])
    weights = np.ones(len(raw)) if weight is None else weight

    def loss(at: Floats) -> tuple[float, Floats]:
        z = inputs @ at
        value = weights @ (np.logaddexp(0, z) - y * z) + 0.5 * np.sum((at - start) ** 2)
        return float(value), inputs.T @ (weights * (expit(z) - y)) + (at - start)

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.05, 20), (0.05, 20), (-20, 20)])
    return Calibrator(*(float(value) for value in found.x))


@dataclass(frozen=True)
class HeldOut:
    """Rows that a model was not fitted on, with what it predicted for them and what came.

    raw: (n,) or (n, h) predictions, aligned with `labels`.
    labels: (n, c) label columns.
    """

    raw: Floats
    labels: pd.DataFrame


def predict_held_out(training: TrainingSet, fit: Fit, *, folds: int = 3) -> HeldOut:
    """Predict what the fitted rows cannot have told: the last cutoff by the earlier ones.

    Where no earlier cutoff could be labelled before the last one, every member of the last cutoff is predicted by a fit
    on its other members.
    """
    earlier, last = training.split_last()
    (example,) = last.examples
    if earlier is not None:
        return HeldOut(fit(earlier)(example.rows), last.y)
    return _predict_across(last, fit, folds)


def predict_held_out_widely(training: TrainingSet, fit: Fit, *, folds: int = 3) -> HeldOut:
    """Predict the last cutoff by the earlier ones, and every cutoff's members by a fit on the other members of all.

    For tasks with few rows a cutoff: the rate of a single cutoff wanders with the season and by chance, which the rows
    of all of them even out. The last cutoff counts twice, being the one that is predicted as the days to come will be.
    """
    across = _predict_across(training, fit, folds)
    earlier, last = training.split_last()
    if earlier is None:
        return across
    later = fit(earlier)(last.examples[0].rows)
    return HeldOut(np.concatenate([across.raw, later]), pd.concat([across.labels, last.y], ignore_index=True))


def member_folds(rows: Rows, folds: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Fold of each row, (n,) in [0, folds), by a hash of its member_id: all rows of a member together, in every run."""
    hashed = pd.util.hash_array(rows.keys["member_id"].to_numpy(dtype=object))
    return np.asarray(hashed % np.uint64(folds), dtype=np.int64)


def with_rows(training: TrainingSet) -> TrainingSet:
    """Drop cutoffs without rows; `MissingError` when none is left."""
    examples = tuple(example for example in training.examples if len(example.rows))
    if not examples:
        raise MissingError(f"training rows of {training.task.name}", "recsys features")
    return TrainingSet(examples)


def take(example: Example, mask: np.ndarray) -> Example:
    """Keep the rows of a cutoff, and their labels, where the boolean (n,) mask is true."""
    labels = Labels(example.labels.y[mask].reset_index(drop=True), example.labels.window)
    return Example(example.rows.take(mask), labels)


def _predict_across(training: TrainingSet, fit: Fit, folds: int) -> HeldOut:
    """Predict every member by a fit on the other members; `MissingError` when there are no others."""
    raw, labels = [], []
    for at in range(folds):
        inside = [member_folds(example.rows, folds) == at for example in training.examples]
        held = _taken(training, inside)
        others = _taken(training, [~mask for mask in inside])
        if held is None or others is None:
            continue
        predict = fit(others)
        raw += [predict(example.rows) for example in held.examples]
        labels.append(held.y)
    if not raw:
        raise MissingError(f"a second member to calibrate {training.task.name}", "recsys ingest")
    return HeldOut(np.concatenate(raw), pd.concat(labels, ignore_index=True))


def _taken(training: TrainingSet, masks: Sequence["np.ndarray"]) -> TrainingSet | None:
    """Keep the rows of each cutoff's mask; a cutoff without any is left out, and None is left when all are."""
    pairs = zip(training.examples, masks, strict=True)
    kept = tuple(take(example, mask) for example, mask in pairs if mask.any())
    return TrainingSet(kept) if kept else None


def _inputs(raw: Floats) -> Floats:
    p = np.clip(raw, EDGE, 1 - EDGE)
    return np.column_stack([np.log(p), -np.log1p(-p), np.ones(len(p))])
