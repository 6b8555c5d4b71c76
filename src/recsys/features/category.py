"""Features of a category: how many buy it, how often they come back, and at what price."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    AS_OF,
    MONEY_UNITS,
    NEVER,
    QUANTITY_UNITS,
    Draft,
    Relation,
    between,
    count,
    features,
    money,
    number,
    quantity,
    ratio,
    trend,
    when,
    within,
)

CATEGORY_SPINE = Relation(
    "category_spine",
    "SELECT DISTINCT category_code, category FROM product_base WHERE is_announced = 0",
)

# One row a category, with the members who bought it, and who bought anything, in the last 90 days.
CATEGORY_REACH = Relation(
    "category_reach",
    """
    SELECT category_code, count(*) AS buyers,
           (SELECT count(DISTINCT member_code) FROM member_day WHERE day >= {as_of} - 90) AS active
    FROM member_category_life
    WHERE last_day >= {as_of} - 90
    GROUP BY category_code
    """,
    stored=False,
)

# One row for each member who bought it; gap: mean days between the purchase days, null with one.
CATEGORY_BUYER = Relation(
    "category_buyer",
    """
    SELECT category_code, member_code, days, last_day, last_day - first_day AS span,
           (last_day - first_day) / nullif(days - 1, 0) AS gap
    FROM member_category_life
    """,
)

CATEGORY_ASSORTMENT = Relation(
    "category_assortment",
    """
    SELECT category_code, product_code, count(*) AS buyers, max(last_day) AS last_day, min(first_day) AS first_day
    FROM member_product_life
    GROUP BY category_code, product_code
    """,
    stored=False,
)

SOURCES = (CATEGORY_REACH, CATEGORY_BUYER, CATEGORY_ASSORTMENT)

MEDIAN_GAP = f"median({when('days >= 2', 'gap')})"
REPEAT_SHARE = f"{count('days >= 2')} / count(*)"
REPEAT_THRESHOLD = 0.2

_NEVER_SOLD = "never sold"


def _buyers() -> tuple[Draft, ...]:
    return (
        number("category_buyers", "count", NEVER, "distinct members who bought it", "count(*)"),
        *(
            number(
                f"category_buyers_{w}d",
                "count",
                NEVER,
                f"distinct members who bought it in the last {w} days",
                count(f"last_day >= {AS_OF} - {w}"),
            )
            for w in (28, 90, 365)
        ),
        number(
            "category_repeat_share",
            "share",
            _NEVER_SOLD,
            "buyers with 2 or more purchase days in it / buyers",
            REPEAT_SHARE,
        ),
        number(
            "category_median_gap",
            "days",
            "nobody bought it twice",
            "median over repeat buyers of their mean gap in it",
            MEDIAN_GAP,
        ),
        number(
            "category_mean_gap",
            "days",
            "nobody bought it twice",
            "mean of all gaps of all members in it",
            ratio("sum(span)", "sum(days - 1)"),
        ),
        number(
            "category_median_recency",
            "days",
            _NEVER_SOLD,
            "median over buyers of days since their last purchase in it",
            f"median({AS_OF} - last_day)",
        ),
        number(
            "category_purchase_days_per_buyer",
            "count",
            _NEVER_SOLD,
            "member purchase days in it / buyers",
            "sum(days) / count(*)",
        ),
    )


def _sales() -> tuple[Draft, ...]:
    return (
        *(
            number(
                f"category_purchase_days_{w}d",
                "count",
                NEVER,
                f"(member, day) pairs with a purchase in it in the last {w} days",
                count(within(w)),
            )
            for w in (28, 90)
        ),
        number("category_money_90d", "money", NEVER, "money paid for it in the last 90 days", money(within(90))),
        number(
            "category_mean_price",
            "money per unit",
            _NEVER_SOLD,
            "money / units over all its purchases",
            ratio(f"sum(money) / {MONEY_UNITS}", f"sum(quantity) / {QUANTITY_UNITS}"),
        ),
        number(
            "category_quantity_per_purchase_day",
            "units",
            _NEVER_SOLD,
            "units / (member, day) pairs",
            ratio(quantity(), "count(*)"),
        ),
        number(
            "category_discount_share",
            "share",
            "no list value",
            "discount / (money + discount)",
            ratio("sum(discount)", "sum(money) + sum(discount)"),
        ),
        number(
            "category_trend_28d",
            "ratio",
            "no purchase in 56 days",
            "(a - b) / (a + b), (member, day) pairs of the last 28 days and of the 28 before",
            trend(count(within(28)), count(between(56, 28))),
        ),
    )


def _assortment() -> tuple[Draft, ...]:
    return (
        number("category_products", "count", NEVER, "distinct products of it ever bought", "count(*)"),
        number(
            "category_products_90d",
            "count",
            NEVER,
            "distinct products of it bought in the last 90 days",
            count(f"last_day >= {AS_OF} - 90"),
        ),
        number(
            "category_top_product_share",
            "share",
            _NEVER_SOLD,
            "buyers of its most bought product / sum over its products of their buyers",
            "max(buyers) / sum(buyers)",
        ),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.CATEGORY, "category_buyer", _buyers()),
    *features(View.CATEGORY, "member_category_day", _sales()),
    *features(View.CATEGORY, "category_assortment", _assortment()),
    *features(
        View.CATEGORY,
        "category_reach",
        (
            number(
                "category_penetration_90d",
                "share",
                NEVER,
                "members who bought it in the last 90 days / members who bought anything then",
                ratio("max(buyers)", "max(active)"),
            ),
        ),
    ),
)
