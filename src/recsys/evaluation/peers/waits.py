"""From one raw number a pair to all that the repurchase task asks: chances within days, and the days themselves."""

from typing import Any

import numpy as np
import pandas as pd

from recsys.evaluation.curves import equal_mass_bins
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.ladder import climb, fit_ladder

WITHIN = (7, 14, 28)
SHARES = (0.5, 0.1, 0.9)
BINS = 20


def fit_waits(x: Floats, y: pd.DataFrame) -> dict[str, Any]:
    """Learn from (n,) raw numbers, larger = sooner, and the repurchase labels; returns plain data for `waits`.

    Chances are isotonic in x for each span; as the outcomes of a longer span include those of a shorter one, so do the
    chances. The days are quantiles of what was seen among rows of like x, a wait that outlasts the data counting as
    the whole span that was observed.
    """
    days, observed = y["days"].to_numpy(np.float64), y["observed"].to_numpy(np.float64)
    seen = np.where(np.isnan(days), observed, days)
    bins = equal_mass_bins(x, BINS)
    groups = [seen[bins == number] for number in np.unique(bins)]
    tops = [float(x[bins == number].max()) for number in np.unique(bins)]
    return {
        "ladders": [fit_ladder(x, (days < span).astype(np.float64)) for span in WITHIN],
        "tops": tops,
        "days": [[float(np.quantile(group, share)) for share in SHARES] for group in groups],
    }


def waits(learned: dict[str, Any], x: Floats) -> list[Floats]:
    """Return the task's columns: p14, p7, p14, p28, median, low and high days, each (n,)."""
    p7, p14, p28 = (climb(ladder, x) for ladder in learned["ladders"])
    tops, days = np.asarray(learned["tops"]), np.asarray(learned["days"])
    found = days[np.minimum(np.searchsorted(tops, x), len(tops) - 1)]
    return [p14, p7, p14, p28, found[:, 0], found[:, 1], found[:, 2]]
