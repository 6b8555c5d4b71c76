import numpy as np
import pandas as pd

from recsys.core.frames import Example, Rows, TrainingSet
from recsys.models.calibration import take
from recsys.models.encoding import Floats


def thin(training: TrainingSet, max_rows: int, *, seed: int) -> TrainingSet:
    """Keep about max_rows rows of all cutoffs together, every row with the same chance; all when there are fewer."""
    share = max_rows / max(1, sum(len(example.rows) for example in training.examples))
    if share >= 1:
        return training
    return TrainingSet(tuple(take(example, draws(example.rows, seed) < share) for example in training.examples))


def thin_negatives(training: TrainingSet, max_rows: int, *, seed: int) -> tuple[TrainingSet, tuple[Floats, ...]]:
    """Keep every positive row, and of the negative ones what max_rows leaves room for, at least as many as positives.

    Returns the kept rows and, for each cutoff, their (n,) weights: 1 for a positive, 1 / share kept for a negative. The
    weighted rows then have the base rate of all rows, so that what is fitted on them are probabilities still.
    """
    rows = sum(len(example.rows) for example in training.examples)
    positives = sum(int((example.labels.y["y"] == 1).sum()) for example in training.examples)
    share = min(1.0, max(max_rows - positives, positives) / max(1, rows - positives))
    kept, weights = [], []
    for example in training.examples:
        positive = example.labels.y["y"].to_numpy() == 1
        mask = positive | (draws(example.rows, seed) < share)
        kept.append(take(example, mask))
        weights.append(np.where(positive[mask], 1.0, 1 / share))
    return TrainingSet(tuple(kept)), tuple(weights)


def draws(rows: Rows, seed: int) -> Floats:
    """(n,) numbers in [0, 1), one a row, from a hash of its keys, as_of and the seed: the order of rows has no part."""
    salt = f"{rows.as_of}/{seed}"
    hashed = pd.util.hash_pandas_object(rows.keys.assign(salt=salt), index=False)
    return np.asarray(hashed.to_numpy(dtype=np.uint64) / 2.0**64)


def member_weights(example: Example, weight: Floats) -> Floats:
    """(n,) weights divided by the number of products that the row's member bought, 1 for members who bought none.

    So a member with a large basket does not count more than one with a small.
    """
    members = example.rows.keys["member_id"]
    bought = example.labels.y["y"].groupby(members.to_numpy()).transform("sum").to_numpy(dtype=np.float64)
    return np.asarray(weight / np.maximum(bought, 1))
