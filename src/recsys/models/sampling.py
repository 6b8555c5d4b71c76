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
    if share == 1:
        return training, tuple(np.ones(len(example.rows)) for example in training.examples)
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


def list_weights(example: Example, weight: Floats, *, top: int) -> Floats:
    """(n,) weights times what a purchase on the list is worth to its member: 1 / n to the recall of the member's n
    purchases, and to NDCG at `top` a mean place's discount over that of the best list of n.

    So the probabilities fitted order a member's items as both measures would have them, and a large basket counts no
    more than a small one. A member's purchases are those among the rows, 1 at least.
    """
    discounts = 1 / np.log2(np.arange(2, top + 2))
    members = example.rows.keys["member_id"].to_numpy()
    bought = example.labels.y["y"].groupby(members).transform("sum").to_numpy(dtype=np.float64)
    bought = np.maximum(bought, 1)
    ideal = np.cumsum(discounts)[np.minimum(bought, top).astype(np.int64) - 1]
    return np.asarray(weight * (1 / bought + discounts.mean() / ideal))
