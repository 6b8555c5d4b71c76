"""What scoring tells of recommendations beside their scores, and which of them are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import Reason
from recsys.artifacts.publication_places import in_key_order
from recsys.core.folders import text_digest
from recsys.core.frames import Rows
from recsys.core.time import AsOf

DUE_RATIOS = (0.8, 2.0)
"""A product is due from the first to the second multiple of the member's usual gap; later, the habit has ended."""

DUE_PURCHASE_DAYS = 3
"""A habit takes so many purchase days: one gap is none."""

EVIDENCE: Mapping[str, str] = {
    "purchase_days": "own_product_purchase_days",
    "days_since": "own_product_days_since_purchase",
    "mean_gap": "own_product_mean_gap",
}
"""What is told as evidence, and the feature that tells it."""

IN_CATEGORY = "affinity_category_share"
ALIKE = ("own_product_neighbour_score", "own_product_als_score")
LOOKED_AT = frozenset({*EVIDENCE.values(), IN_CATEGORY, *ALIKE})
"""The features that `evidence` looks at."""

DIGEST = text_digest(repr(DUE_RATIOS), str(DUE_PURCHASE_DAYS), repr(EVIDENCE))
"""Changes when the same scores would be given other reasons."""


def evidence(rows: Rows) -> pd.DataFrame:
    """(n, 4) why each pair is recommended: `reason`, and `purchase_days` (0 = never bought), `days_since` the last
    purchase and `mean_gap` in days (NaN = none).
    """
    told = {name: _number(rows, feature) for name, feature in EVIDENCE.items()}
    days = np.nan_to_num(told["purchase_days"])
    again = days >= 1
    ratio = np.divide(told["days_since"], told["mean_gap"], out=np.full(len(rows), np.nan), where=told["mean_gap"] > 0)
    due = again & (days >= DUE_PURCHASE_DAYS) & (ratio >= DUE_RATIOS[0]) & (ratio <= DUE_RATIOS[1])
    known = _number(rows, IN_CATEGORY) > 0
    alike = np.any([_number(rows, name) > 0 for name in ALIKE], axis=0)
    reasons = [Reason.DUE, Reason.AGAIN, Reason.IN_CATEGORY, Reason.FOR_YOU]
    reason = np.select([due, again, known, alike], [str(one) for one in reasons], str(Reason.POPULAR))
    return pd.DataFrame({"reason": reason.astype(object), **told, "purchase_days": days})


@dataclass(frozen=True)
class Shelves:
    """What decides which pairs may be kept.

    place: product -> its row among the publication's, by which equal scores are ordered. category: of each product.
    outgrown: (member, category) -> the first day on which the member's child had outgrown it.
    """

    place: "pd.Series[int]"
    category: "pd.Series[str]"
    outgrown: "pd.Series[float]"
    as_of: AsOf

    @classmethod
    def of(cls, items: pd.DataFrame, needs: pd.DataFrame, as_of: AsOf) -> Self:
        """Look at a day's products (product_id, category) and at all needs, which `life_stage.needs` lists."""
        ids = items["product_id"].to_numpy(dtype=object)
        ordered = pd.Series(np.arange(len(ids)), index=pd.Index(ids[in_key_order(ids)]))
        ended = needs[needs["ends_day"] <= as_of.number]
        outgrown = ended.set_index(["member_id", "category"])["ends_day"].astype(np.float64)
        return cls(ordered, items.set_index("product_id")["category"], outgrown, as_of)

    def needed(self, table: pd.DataFrame) -> "np.ndarray":
        """(n,) whether the member's child has not outgrown the product, or the member bought the very product since.

        table: member_id, product_id, days_since.
        """
        if not len(self.outgrown):
            return np.ones(len(table), dtype=np.bool_)
        category = self.category.reindex(table["product_id"]).to_numpy()
        pairs = pd.MultiIndex.from_arrays([table["member_id"].to_numpy(), category])
        ends_day = self.outgrown.reindex(pairs).to_numpy(dtype=np.float64)
        bought_day = self.as_of.number - table["days_since"].to_numpy(dtype=np.float64)
        return np.asarray(np.isnan(ends_day) | (bought_day >= ends_day))


def foremost(table: pd.DataFrame, item: str, keep: int, discoveries: int, shelves: Shelves | None) -> pd.DataFrame:
    """Keep each member's best: so many by `score`, and so many by `discovery` of what the member never bought.

    table: whole members, with `discovery`, and with evidence where shelves decide. item: its column of items.
    Without shelves, equal scores are ordered by the item's name.
    """
    if shelves is not None:
        known = table[item].isin(shelves.place.index)
        table = table[known.to_numpy() & shelves.needed(table)]
        place = shelves.place.reindex(table[item]).to_numpy(dtype=np.int64)
    else:
        place = np.argsort(np.argsort(table[item].to_numpy(dtype=str), kind="stable"), kind="stable")
    member = pd.factorize(table["member_id"])[0]
    discovery = table["discovery"].to_numpy(dtype=np.float64)
    listed = _ranks(member, table["score"].to_numpy(dtype=np.float64), place) < keep
    never = table["purchase_days"].to_numpy() == 0 if "purchase_days" in table else np.ones(len(table), dtype=np.bool_)
    found = (discovery > 0) & never
    at = np.flatnonzero(found)
    listed[at[_ranks(member[at], discovery[at], place[at]) < discoveries]] = True
    return table[listed]


def _ranks(member: "np.ndarray", score: "np.ndarray", place: "np.ndarray") -> "np.ndarray":
    """(n,) how many pairs of the same member stand before each: of higher scores, or equal ones and earlier places."""
    order = np.lexsort((place, -score, member))
    sorted_member = member[order]
    first = np.searchsorted(sorted_member, sorted_member)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order)) - first
    return ranks


def _number(rows: Rows, name: str) -> "np.ndarray":
    return rows.values[name].to_numpy(dtype=np.float64)
