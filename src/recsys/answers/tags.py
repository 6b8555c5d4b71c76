"""The words of each tag of a member, in Chinese and English."""

from collections.abc import Mapping

from recsys.answers.shapes import MemberTag
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import Tag


def member_tags(publication: Publication, row: int) -> tuple[MemberTag, ...]:
    """Return a member's tags in words."""
    return tuple(MemberTag(tag, *_WORDS[tag]) for tag in publication.member_tags(row))


_WORDS: Mapping[Tag, tuple[str, str]] = {
    Tag.HIGH_CHURN_RISK: ("高流失风险", "high risk of leaving"),
    Tag.LAPSED: ("沉睡会员", "lapsed"),
    Tag.DUE_THIS_WEEK: ("本周待回购", "due this week"),
    Tag.NEWCOMER: ("新客", "newcomer"),
    Tag.REGULAR: ("常客", "regular"),
    Tag.HIGH_VALUE: ("高消费会员", "high value"),
    Tag.LAUNCH_FAN: ("新品爱好者", "fond of launches"),
    Tag.COUPON_USER: ("爱用优惠券", "buys with coupons"),
}
