from collections.abc import Callable

import pandas as pd

from recsys.core.frames import Rows
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.peer import Learned, Rule, feature, nothing

POPULARITY = "product_purchase_days_28d"
OWN = "own_product_purchase_days"
NEIGHBOUR = "neighbour_score"
FACTORS = "als_score"
OUTSIDE = -1e9  # below every product of factors: products or members that have none

_REALITY = "Li, Jullien, Ariannezhad, de Rijke, A Next Basket Recommendation Reality Check, TOIS 2023"


def popular(values: pd.DataFrame) -> Floats:
    """(n,) how often everybody bought the product lately."""
    return feature(values, POPULARITY, unknown=0.0)


def personal(values: pd.DataFrame) -> Floats:
    """(n,) on how many days the member bought the product."""
    return feature(values, OWN, unknown=0.0)


def personal_then_popular(values: pd.DataFrame) -> Floats:
    """(n,) the member's own products by frequency, then, and between equals, by popularity."""
    rest = popular(values)
    return personal(values) + rest / (1 + rest)


def _raw_rule(name: str, source: str, raw: Callable[[pd.DataFrame], Floats]) -> Rule:
    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        del learned
        return [raw(rows.values)] * 2

    return Rule(name, source, nothing, apply)


RULES = (
    _raw_rule("g_topfreq", _REALITY, popular),
    _raw_rule("p_topfreq", _REALITY, personal),
    _raw_rule("gp_topfreq", _REALITY, personal_then_popular),
    _raw_rule(
        "als",
        "Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008",
        lambda values: feature(values, FACTORS, unknown=OUTSIDE),
    ),
    _raw_rule(
        "item_item",
        "Deshpande, Karypis, Item-based top-N recommendation algorithms, TOIS 22, 2004",
        lambda values: feature(values, NEIGHBOUR, unknown=0.0),
    ),
)
