"""Features of a member and a category the member has bought: rhythm, amounts, and how they stand against the usual."""

from recsys.core.task import FeatureSpec, View
from recsys.features.category import MEDIAN_GAP, REPEAT_SHARE, REPEAT_THRESHOLD
from recsys.features.expression import (
    AS_OF,
    MONEY_UNITS,
    NEVER,
    QUANTITY_UNITS,
    WINDOWS,
    Draft,
    Relation,
    between,
    count,
    distinct,
    features,
    gap_weight,
    last_gap,
    mean_gap,
    money,
    number,
    overdue,
    quantity,
    ratio,
    recency,
    sd_gap,
    total,
    trend,
    weighted_gap,
    when,
    within,
)

MEMBER_CATEGORY_SPINE = Relation(
    "member_category_spine",
    """
    SELECT life.member_code, life.category_code, member_spine.member_id, category_spine.category
    FROM member_category_life AS life
    JOIN member_spine ON member_spine.member_code = life.member_code
    JOIN category_spine ON category_spine.category_code = life.category_code
    """,
)

# weight: as in member_day.
MEMBER_CATEGORY_GAP = Relation(
    "member_category_gap", f"SELECT *, {gap_weight()} AS weight FROM member_category_visit", stored=False
)

CATEGORY_RHYTHM = Relation(
    "category_rhythm",
    f"""
    SELECT category_code, {MEDIAN_GAP} AS median_gap, {REPEAT_SHARE} AS repeat_share,
           median({AS_OF} - last_day) AS median_recency
    FROM category_buyer
    GROUP BY category_code
    """,
)

# One row a pair: what it adds up to, its place within the member, the member's totals and the category's rhythm.
MEMBER_CATEGORY_STANDING = Relation(
    "member_category_standing",
    """
    WITH pairs AS (
        SELECT member_code, category_code, count(*) AS days, max(day) AS last_day, max(visit) AS last_visit,
               (max(day) - min(day)) / nullif(count(*) - 1, 0) AS gap,
               sum(CASE WHEN day >= {as_of} - 365 THEN money ELSE 0 END) AS money_365d,
               sum(CASE WHEN day >= {as_of} - 90 THEN 1 ELSE 0 END) AS days_90d
        FROM member_category_visit
        GROUP BY member_code, category_code
    ),
    totals AS (
        SELECT member_code, count(*) AS visits,
               sum(CASE WHEN day >= {as_of} - 90 THEN 1 ELSE 0 END) AS visits_90d,
               sum(CASE WHEN day >= {as_of} - 365 THEN money ELSE 0 END) AS money_365d
        FROM member_day
        GROUP BY member_code
    )
    SELECT pairs.*, visits, visits_90d, totals.money_365d AS total_365d, median_gap, repeat_share, median_recency,
           rank() OVER (PARTITION BY pairs.member_code ORDER BY pairs.money_365d DESC) AS money_rank,
           rank() OVER (PARTITION BY pairs.member_code ORDER BY days DESC) AS days_rank
    FROM pairs
    JOIN totals ON totals.member_code = pairs.member_code
    JOIN category_rhythm ON category_rhythm.category_code = pairs.category_code
    """,
    stored=False,
)

SOURCES = (MEMBER_CATEGORY_SPINE, MEMBER_CATEGORY_GAP, MEMBER_CATEGORY_STANDING)

_ONE_DAY = "fewer than 2 purchase days in it"


def _rhythm() -> tuple[Draft, ...]:
    own = "own_category"
    spread = f"nullif({sd_gap()}, 0)"
    return (
        number(f"{own}_days_since_purchase", "days", NEVER, "as_of - last purchase day in it", recency()),
        number(
            f"{own}_days_since_first_purchase", "days", NEVER, "as_of - first purchase day in it", f"{AS_OF} - min(day)"
        ),
        number(f"{own}_purchase_days", "count", NEVER, "distinct days with a purchase in it", "count(day)"),
        *(
            number(
                f"{own}_purchase_days_{w}d",
                "count",
                NEVER,
                f"purchase days in it in [as_of - {w}, as_of)",
                count(within(w)),
            )
            for w in WINDOWS
        ),
        *(
            number(f"{own}_money_{w}d", "money", NEVER, f"money paid in it in [as_of - {w}, as_of)", money(within(w)))
            for w in WINDOWS
        ),
        number(f"{own}_quantity_90d", "units", NEVER, "units bought in it in the last 90 days", quantity(within(90))),
        number(f"{own}_mean_gap", "days", _ONE_DAY, "mean days between purchase days in it", mean_gap()),
        number(f"{own}_sd_gap", "days", "fewer than 3 purchase days in it", "sample sd of the gaps in it", sd_gap()),
        number(f"{own}_last_gap", "days", _ONE_DAY, "days between the last two purchase days in it", last_gap()),
        number(
            f"{own}_weighted_gap",
            "days",
            _ONE_DAY,
            "mean of the latest 8 gaps in it weighted 128, 64, ... 1 from the latest",
            weighted_gap(),
        ),
        number(
            f"{own}_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase in it / mean gap in it",
            overdue(mean_gap()),
        ),
        number(
            f"{own}_weighted_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase in it / weighted gap in it",
            overdue(weighted_gap()),
        ),
        number(
            f"{own}_overdue_deviation",
            "sd",
            "gaps in it unknown or all equal",
            "(days since the last purchase in it - mean gap) / sd of the gaps",
            f"({recency()} - {mean_gap()}) / {spread}",
        ),
        number(
            f"{own}_trend_90d",
            "ratio",
            "no purchase in it in 180 days",
            "(a - b) / (a + b), purchase days in it of the last 90 days and of the 90 before",
            trend(count(within(90)), count(between(180, 90))),
        ),
        number(
            f"{own}_visits_between",
            "count",
            _ONE_DAY,
            "the member's purchase days from one purchase in it to the next, mean",
            ratio("max(visit) - min(visit)", "count(day) - 1"),
        ),
    )


def _amounts() -> tuple[Draft, ...]:
    own = "own_category"
    last = f"max({when('recent = 1', 'quantity')})"
    used = f"(sum(quantity) - {last})"
    supply = f"({last} * (max(day) - min(day))) / nullif({used}, 0)"
    return (
        number(
            f"{own}_last_quantity", "units", NEVER, "units on the last purchase day in it", f"{last} / {QUANTITY_UNITS}"
        ),
        number(
            f"{own}_last_quantity_ratio",
            "ratio",
            "no quantity",
            "units on the last purchase day in it / mean units a purchase day in it",
            ratio(f"{last} * count(day)", "sum(quantity)"),
        ),
        number(
            f"{own}_days_of_supply",
            "days",
            _ONE_DAY,
            "units of the last purchase day / units used a day, all but the last purchase being used up by then",
            supply,
        ),
        number(
            f"{own}_supply_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase in it / days of supply",
            overdue(supply),
        ),
        number(
            f"{own}_money_per_purchase_day",
            "money",
            NEVER,
            "money paid in it / purchase days in it",
            f"sum(money) / count(day) / {MONEY_UNITS}",
        ),
        number(
            f"{own}_discount_share",
            "share",
            "no list value",
            "discount / (money + discount) in it",
            ratio("sum(discount)", "sum(money) + sum(discount)"),
        ),
    )


def _standing() -> tuple[Draft, ...]:
    own = "own_category"
    return (
        number(
            f"{own}_money_share_365d",
            "share",
            "nothing paid in the year",
            "money in it / money, in the last 365 days",
            ratio("money_365d", "total_365d"),
        ),
        number(
            f"{own}_visit_share",
            "share",
            NEVER,
            "purchase days in it / the member's purchase days",
            "days / visits",
        ),
        number(
            f"{own}_visit_share_90d",
            "share",
            "nothing bought in 90 days",
            "purchase days in it / the member's purchase days, in the last 90 days",
            ratio("days_90d", "visits_90d"),
        ),
        number(
            f"{own}_money_rank",
            "rank",
            NEVER,
            "1 + the member's categories with more money in the last 365 days",
            "money_rank",
        ),
        number(
            f"{own}_frequency_rank",
            "rank",
            NEVER,
            "1 + the member's categories with more purchase days",
            "days_rank",
        ),
        number(
            f"{own}_visits_since",
            "count",
            NEVER,
            "the member's purchase days after the last one in it",
            "visits - last_visit",
        ),
        number(
            f"{own}_gap_to_median",
            "ratio",
            "own or median gap unknown",
            "mean gap in it / category_median_gap",
            ratio("gap", "median_gap"),
        ),
        number(
            f"{own}_recency_to_median_gap",
            "ratio",
            "nobody bought it twice",
            "days since the last purchase in it / category_median_gap",
            ratio(f"{AS_OF} - last_day", "median_gap"),
        ),
        number(
            f"{own}_recency_to_median_recency",
            "ratio",
            NEVER,
            "days since the last purchase in it / category_median_recency",
            ratio(f"{AS_OF} - last_day", "median_recency"),
        ),
        number(
            "is_repeat_category",
            "flag",
            NEVER,
            f"1 where category_repeat_share >= {REPEAT_THRESHOLD}, else 0",
            f"CASE WHEN repeat_share >= {REPEAT_THRESHOLD:e} THEN 1 ELSE 0 END",
        ),
    )


def _tried() -> tuple[Draft, ...]:
    return (
        number("own_category_products", "count", NEVER, "distinct products of it the member bought", "count(*)"),
        number(
            "own_category_brands",
            "count",
            NEVER,
            "distinct brands the member bought in it",
            distinct("brand_code"),
        ),
        number(
            "own_category_main_product_share",
            "share",
            NEVER,
            "days of the most bought product of it / sum over its products of their days",
            "max(days) / sum(days)",
        ),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER_CATEGORY, "member_category_gap", (*_rhythm(), *_amounts())),
    *features(View.MEMBER_CATEGORY, "member_category_standing", _standing()),
    *features(View.MEMBER_CATEGORY, "member_product_life", _tried()),
    *features(
        View.MEMBER_CATEGORY,
        "event",
        (
            number(
                "own_category_views_30d",
                "count",
                NEVER,
                "view events on its products in the last 30 days",
                count(f"type = 'view' AND {within(30)}"),
            ),
            number(
                "own_category_carts_30d",
                "count",
                NEVER,
                "cart events on its products in the last 30 days",
                total("1", f"type = 'cart' AND {within(30)}"),
            ),
        ),
    ),
)
