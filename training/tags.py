"""The rules by which a publication calls members names; `recsys.artifacts.tagging.standing` has the words."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.answers.risk import high_from
from recsys.artifacts.publication_content import Tag

TOP_SHARE = 0.1
"""High value are the members of whom at most this share stands higher."""

FEATURES = (
    "money_365d",
    "lines_per_purchase_day",
    "purchase_days",
    "days_since_purchase",
    "days_since_first_purchase",
    "active_weeks_share_84d",
    "launches_bought_365d",
    "coupon_line_share",
)
"""What the rules read of members."""


def standings(members: pd.DataFrame, churn: pd.DataFrame, due: Collection[str]) -> pd.DataFrame:
    """Return one column of bool for each `Tag`, in the order of `Tag` and with the members' index.

    members: member_id and `FEATURES`. churn: member_id and score. due: who is as likely as not to buy in some category
    within 7 days, needs that have ended left out.

    high_churn_risk: at high risk, see `recsys.answers.risk`. lapsed: no purchase for 84 days, thus not scored.
    due_this_week: is due. newcomer: first purchase in the last 28 days. regular: bought in 9 of the last 12 weeks.
    high_value: money of the last year in the top tenth of members. launch_fan: bought 3 of the launches of a year.
    coupon_user: half of at least 10 order lines with a coupon. A feature that is unknown gives no tag.
    """
    ids = members["member_id"]
    money = members["money_365d"]
    lines = members["lines_per_purchase_day"] * members["purchase_days"]
    holds: dict[Tag, pd.Series[bool]] = {
        Tag.HIGH_CHURN_RISK: ids.isin(churn.loc[churn["score"] >= high_from(churn["score"].mean()), "member_id"]),
        Tag.LAPSED: members["days_since_purchase"] >= 84,
        Tag.DUE_THIS_WEEK: ids.isin(due),
        Tag.NEWCOMER: members["days_since_first_purchase"] <= 28,
        Tag.REGULAR: members["active_weeks_share_84d"] >= 0.75,
        Tag.HIGH_VALUE: _top(money) & (money > 0),
        Tag.LAUNCH_FAN: members["launches_bought_365d"] >= 3,
        Tag.COUPON_USER: (members["coupon_line_share"] >= 0.5) & (lines >= 10),
    }
    return pd.DataFrame({str(tag): np.asarray(holds[tag], dtype=np.bool_) for tag in Tag}, index=members.index)


def tag_lists(flags: pd.DataFrame) -> Any:
    """(n,) each member's tags as a list, in the order of `Tag`; flags: as `standings` returns them."""
    owner, tag = np.nonzero(flags.to_numpy(dtype=np.bool_))
    words: Any = pa.array([str(name) for name in flags.columns], pa.string())
    starts: Any = pa.array(np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(flags)))]), pa.int32())
    lists: Any = pa.ListArray.from_arrays(starts, words.take(pa.array(tag, pa.int64())))
    return lists


def _top(values: "pd.Series[float]") -> "pd.Series[bool]":
    """Tell the top share; of equal values at its edge none is taken, so it is never larger."""
    return values.rank(ascending=False, method="max") <= TOP_SHARE * values.count()
