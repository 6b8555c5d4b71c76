from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from recsys.evaluation.judged import Floats

NUDGE = 1e-4


def fit_ladder(x: Floats, y: Floats) -> dict[str, Any]:
    """Learn to read a rule's raw number as a probability: larger numbers, larger chances.

    x: (n,) finite raw numbers, y: (n,) 0 or 1. Returns plain data for `climb`.
    Isotonic regression makes the chances (Zadrozny, Elkan, KDD 2002); so that its flat steps part no fewer rows than
    the raw number does, a part of `NUDGE` of the chance rises smoothly with x.
    """
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(x, y)
    low, middle, high = np.quantile(x, [0.1, 0.5, 0.9])
    return {
        "x": fitted.X_thresholds_.tolist(),
        "p": fitted.y_thresholds_.tolist(),
        "middle": float(middle),
        "scale": float(max(high - low, 1e-9)),
    }


def climb(ladder: dict[str, Any], x: Floats) -> Floats:
    """(n,) raw numbers -> (n,) probabilities in (0, 1), strictly increasing in x."""
    smooth = 0.5 + np.arctan((x - ladder["middle"]) / ladder["scale"]) / np.pi
    steps = np.interp(x, np.asarray(ladder["x"]), np.asarray(ladder["p"]))
    return np.asarray((1 - NUDGE) * steps + NUDGE * smooth)
