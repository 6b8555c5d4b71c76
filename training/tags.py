"""The rules by which a publication calls members names; `recsys.artifacts.tagging.standing` has the words."""

from collections.abc import Mapping

import pandas as pd

from recsys.answers.risk import high_from
from recsys.artifacts.publication_content import Tag

TOP_SHARE = 0.1
"""High value are the members of whom at most this share stands higher."""


def member_tags(members: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> "pd.Series[list[str]]":
    """Return each member's tags, a list in the order of `Tag`.

    members: the features of the view member. scores: those of churn and, of needs that last, repurchase.

    high_churn_risk: at high risk, see `recsys.answers.risk`. lapsed: no purchase for 84 days, thus not scored.
    due_this_week: in some category as likely as not to buy within 7 days. newcomer: first purchase in the last 28 days.
    regular: bought in 9 of the last 12 weeks. high_value: money of the last year in the top tenth of members.
    launch_fan: bought 3 products of the year's launches. coupon_user: half of at least 10 order lines with a coupon.
    A feature that is unknown gives no tag.
    """
    ids = members["member_id"]
    churn = scores["churn"]
    repurchase = scores["repurchase"]
    money = members["money_365d"]
    lines = members["lines_per_purchase_day"] * members["purchase_days"]
    holds: dict[Tag, pd.Series[bool]] = {
        Tag.HIGH_CHURN_RISK: ids.isin(churn.loc[churn["score"] >= high_from(churn["score"].mean()), "member_id"]),
        Tag.LAPSED: members["days_since_purchase"] >= 84,
        Tag.DUE_THIS_WEEK: ids.isin(repurchase.loc[repurchase["p7"] >= 0.5, "member_id"]),
        Tag.NEWCOMER: members["days_since_first_purchase"] <= 28,
        Tag.REGULAR: members["active_weeks_share_84d"] >= 0.75,
        Tag.HIGH_VALUE: _top(money) & (money > 0),
        Tag.LAUNCH_FAN: members["launches_bought_365d"] >= 3,
        Tag.COUPON_USER: (members["coupon_line_share"] >= 0.5) & (lines >= 10),
    }
    rows = zip(*(holds[tag].tolist() for tag in Tag), strict=True)
    tags = [[str(tag) for tag, held in zip(Tag, row, strict=True) if held] for row in rows]
    return pd.Series(tags, index=members.index, dtype=object)


def _top(values: "pd.Series[float]") -> "pd.Series[bool]":
    """Tell the top share; of equal values at its edge none is taken, so it is never larger."""
    return values.rank(ascending=False, method="max") <= TOP_SHARE * values.count()
