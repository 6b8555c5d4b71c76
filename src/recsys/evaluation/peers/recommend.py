from collections.abc import Callable

import numpy as np

from recsys.core.frames import Rows
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.peer import Learned, Rule, feature, nothing

OUTSIDE = -1e9  # below every product of factors: items or members that have none
YEAR = 365.0

_REALITY = "Li, Jullien, Ariannezhad, de Rijke, A Next Basket Recommendation Reality Check, TOIS 2023"


def popular(rows: Rows) -> Floats:
    """(n,) how often everybody bought the item lately."""
    return feature(rows.values, f"{_level(rows)}_purchase_days_28d", unknown=0.0)


def personal(rows: Rows) -> Floats:
    """(n,) on how many days the member bought the item; the one bought more recently before an equal one."""
    days = feature(rows.values, f"own_{_level(rows)}_days_since_purchase", unknown=np.inf)
    return _often(rows) + 0.5 * YEAR / (YEAR + days)


def personal_then_popular(rows: Rows) -> Floats:
    """(n,) the member's own items by frequency, then, and between equals, by popularity."""
    rest = popular(rows)
    return _often(rows) + rest / (1 + rest)


def _often(rows: Rows) -> Floats:
    return feature(rows.values, f"own_{_level(rows)}_purchase_days", unknown=0.0)


def _level(rows: Rows) -> str:
    """Return the level in the names of the rows' features: "product" or "subcategory"."""
    return rows.task.keys[-1].removesuffix("_id")


def _scored(source: str, *, unknown: float = 0.0) -> Callable[[Rows], Floats]:
    return lambda rows: feature(rows.values, f"own_{_level(rows)}_{source}_score", unknown=unknown)


def _raw_rule(name: str, source: str, raw: Callable[[Rows], Floats]) -> Rule:
    """Rank by one number; the list of discoveries is the same ranking without the items bought before."""

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        del learned
        return [raw(rows)] * 2

    return Rule(name, source, nothing, apply)


RULES = (
    _raw_rule("g_topfreq", _REALITY, popular),
    _raw_rule("p_topfreq", _REALITY, personal),
    _raw_rule("gp_topfreq", _REALITY, personal_then_popular),
    _raw_rule(
        "upcf",
        "Faggioli, Polato, Aiolli, Recency Aware Collaborative Filtering for Next Basket Recommendation, UMAP 2020",
        _scored("upcf"),
    ),
    _raw_rule(
        "tifu_knn",
        "Hu, He, Gao, Zhang, Modeling Personalized Item Frequency Information for Next-basket Recommendation "
        "(TIFU-KNN), SIGIR 2020",
        _scored("tifu"),
    ),
    _raw_rule(
        "als",
        "Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008",
        _scored("als", unknown=OUTSIDE),
    ),
    _raw_rule(
        "bm25",
        "Robertson, Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009, over items as documents of "
        "the members who bought them",
        _scored("bm25"),
    ),
    _raw_rule(
        "item_item",
        "Deshpande, Karypis, Item-based top-N recommendation algorithms, TOIS 22, 2004",
        _scored("neighbour"),
    ),
)
