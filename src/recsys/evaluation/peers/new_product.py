from collections.abc import Callable

import numpy as np
import pandas as pd

from recsys.core.frames import Rows, TrainingSet
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.ladder import climb, fit_ladder
from recsys.evaluation.peers.logistic import logistic
from recsys.evaluation.peers.peer import Learned, Rule, columns, feature

ACTIVITY = "purchase_days_90d"
POPULARITY = "product_category_buyers_90d"
AFFINITY = "affinity_category_visit_share"
FINER = "affinity_subcategory_share"
RAW = (ACTIVITY, POPULARITY, AFFINITY, FINER)
LOGISTIC = (
    ACTIVITY,
    POPULARITY,
    AFFINITY,
    FINER,
    "affinity_brand_share",
    "affinity_brand_in_subcategory_days_90d",
    "affinity_brand_in_category_days_90d",
    "affinity_category_days_since",
    "product_subcategory_buyers_90d",
    "product_days_since_launch",
    "product_price_level",
    "price_level_distance",
    "launch_adoption_rate",
    "exploration_rate_90d",
    "days_since_purchase",
    "products_90d",
)


def popularity_times_activity(values: pd.DataFrame) -> Floats:
    """(n,) recent buyers of the product's category times the member's recent purchase days."""
    return feature(values, POPULARITY, unknown=0.0) * feature(values, ACTIVITY, unknown=0.0)


def affinity(values: pd.DataFrame) -> Floats:
    """(n,) the member's expected purchase days in the product's category, its subcategory counting once more.

    Members who never bought the category follow, by popularity times activity.
    """
    active = feature(values, ACTIVITY, unknown=0.0)
    own = (feature(values, AFFINITY, unknown=0.0) + feature(values, FINER, unknown=0.0)) * active
    rest = popularity_times_activity(values)
    return own + 1e-3 * rest / (1 + rest)


def _raw_rule(name: str, source: str, raw: Callable[[pd.DataFrame], Floats]) -> Rule:
    def learn(training: TrainingSet) -> Learned:
        return fit_ladder(raw(columns(training, RAW)), training.y["y"].to_numpy(np.float64))

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        return [climb(dict(learned), raw(rows.values))]

    return Rule(name, source, learn, apply)


RULES = (
    _raw_rule("popularity_x_activity", "folklore: who buys much, of what sells much", popularity_times_activity),
    _raw_rule("category_affinity", "folklore: who bought much of the category will try what is new in it", affinity),
    logistic("logistic", "Hosmer, Lemeshow, Applied Logistic Regression, 1989", LOGISTIC),
)
