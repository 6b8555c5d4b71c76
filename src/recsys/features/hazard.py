"""How likely an item is bought again at a member's next visit, by the visits since the member bought it last."""

import numpy as np
import pandas as pd

from recsys.features.level import Level
from recsys.features.stage import Stage
from recsys.features.visits import numbers

BOUNDS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40, 60, 100)
"""Last visit of each span but the last one, which is open."""

OPEN = 1_000_000_000

ITEM_PRIOR = 20.0
"""Purchases by which an item's rate is held to that of all items."""

SPAN_PRIOR = 30.0
"""Visits by which an item's chance in a span is held to the curve of all items at the item's rate."""


def hazards(stage: Stage, level: Level) -> pd.DataFrame:
    """Tell `<level>_hazard`, one row an item and span: the code, first_visit, last_visit and hazard.

    hazard: chance that a member who bought the item buys it at the n-th visit after, n in [first_visit, last_visit],
    not having bought it since. Every run of visits since a purchase tells of as many chances as it has visits; the runs
    that last still at as_of end without a purchase. An item's counts are shrunk to the curve of all items times its own
    rate.
    """
    item, visits, bought, runs = numbers(stage, _RUNS.format(name=level.name, code=level.code))
    codes, place = np.unique(item, return_inverse=True)
    starts = np.array([1, *(bound + 1 for bound in BOUNDS)])
    ends = np.array([*BOUNDS, OPEN])
    shape = (len(codes), len(ends))
    chances, purchases = np.zeros(shape), np.zeros(shape)
    for span, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inside = np.clip(visits - start + 1, 0, end - start + 1)
        chances[:, span] = np.bincount(place, weights=inside * runs, minlength=len(codes))
        here = (bought == 1) & (visits >= start) & (visits <= end)
        purchases[:, span] = np.bincount(place[here], weights=runs[here], minlength=len(codes))
    curve = purchases.sum(axis=0) / np.maximum(chances.sum(axis=0), 1)
    rate = (purchases.sum(axis=1) + ITEM_PRIOR) / ((chances * curve).sum(axis=1) + ITEM_PRIOR)
    hazard = (purchases + SPAN_PRIOR * curve * rate[:, None]) / (chances + SPAN_PRIOR)
    return pd.DataFrame(
        {
            level.code: np.repeat(codes, len(ends)).astype(np.int32),
            "first_visit": np.tile(starts, len(codes)),
            "last_visit": np.tile(ends, len(codes)),
            "hazard": np.minimum(hazard, 1).ravel(),
        }
    )


_RUNS = """
    SELECT {code}, visits, bought, CAST(sum(runs) AS BIGINT)
    FROM {name}_run GROUP BY {code}, visits, bought ORDER BY ALL
"""
