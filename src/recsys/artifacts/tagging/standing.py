"""The standings as tags: what operations call a member; `training/tags.py` has the rules."""

from recsys.artifacts.publication_content import Tag
from recsys.artifacts.tagging.described import flag
from recsys.artifacts.tagging.spec import TagSpec

TAGS: tuple[TagSpec, ...] = (
    flag(
        Tag.HIGH_CHURN_RISK,
        ("高流失风险", "high risk of leaving"),
        ("流失概率的优势比达到平均会员的三倍", "at least three times the average odds of leaving"),
    ),
    flag(Tag.LAPSED, ("沉睡会员", "lapsed"), ("84天未购买", "no purchase for 84 days")),
    flag(
        Tag.DUE_THIS_WEEK,
        ("本周待回购", "due this week"),
        ("某品类7天内回购概率不低于一半", "as likely as not to buy again in some category within 7 days"),
    ),
    flag(Tag.NEWCOMER, ("新客", "newcomer"), ("近28天首次购买", "first purchase in the last 28 days")),
    flag(Tag.REGULAR, ("常客", "regular"), ("近12周中有9周购买", "bought in 9 of the last 12 weeks")),
    flag(
        Tag.HIGH_VALUE,
        ("高消费会员", "high value"),
        ("近一年消费金额在前十分之一", "money of the last year in the top tenth of members"),
    ),
    flag(
        Tag.LAUNCH_FAN,
        ("新品爱好者", "fond of launches"),
        ("购买过近一年上新的3个商品", "bought 3 products of the year's launches"),
    ),
    flag(
        Tag.COUPON_USER,
        ("爱用优惠券", "buys with coupons"),
        ("至少10个订单行且一半用券", "half of at least 10 order lines with a coupon"),
    ),
)
