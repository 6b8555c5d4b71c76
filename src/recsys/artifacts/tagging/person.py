"""Tags of who a member is, and how long the member has been one."""

from recsys.artifacts.tagging.described import feature, own
from recsys.artifacts.tagging.spec import Group, Kind, Pace, TagSpec

TAGS: tuple[TagSpec, ...] = (
    feature(
        "gender", Group.BASIC, Pace.STATIC, "-", ("性别", "gender"), ("商家记录的性别", "as the retailer writes it")
    ),
    feature("city", Group.BASIC, Pace.SEMI_STATIC, "-", ("城市", "city"), ("常住城市", "home city")),
    feature(
        "source_channel",
        Group.BASIC,
        Pace.STATIC,
        "-",
        ("来源渠道", "source channel"),
        ("入会来源", "how the member was won"),
    ),
    own(
        "age_band",
        Group.BASIC,
        Pace.SEMI_STATIC,
        "-",
        ("年龄段", "age band"),
        ("按生日计算的年龄段", "whole years of age, in bands"),
    ),
    own(
        "child_age_months",
        Group.BASIC,
        Pace.SEMI_STATIC,
        "months",
        ("宝宝月龄", "child's age"),
        ("最小孩子的整月月龄，未出生为负数", "whole months of the youngest child's age, below 0 before birth"),
    ),
    feature(
        "tier",
        Group.BASIC,
        Pace.SEMI_STATIC,
        "-",
        ("会员等级", "tier"),
        ("最近更新的会员等级", "loyalty tier at the last update"),
    ),
    feature(
        "points_balance",
        Group.BASIC,
        Pace.DYNAMIC,
        "points",
        ("积分余额", "points"),
        ("最近更新的积分余额", "points at the last update"),
    ),
    own(
        "tenure_days",
        Group.MEMBER,
        Pace.SEMI_STATIC,
        "days",
        ("会龄", "tenure"),
        ("自入会或首次购买（取较早者）以来的天数", "days since joining or the first purchase, whichever was earlier"),
        since=True,
    ),
    TagSpec(
        "lifecycle_stage",
        Group.MEMBER,
        Pace.DYNAMIC,
        Kind.TEXT,
        "-",
        "生命周期阶段",
        "lifecycle stage",
        "与分群“生命周期”一致",
        "the member's value of the segmentation lifecycle",
        segment="lifecycle",
    ),
)
