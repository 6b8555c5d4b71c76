"""Features of a member and a product the member may be offered: own history, affinity, price and candidate scores."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
    Relation,
    count,
    features,
    last_gap,
    mean_gap,
    number,
    overdue,
    quantity,
    ratio,
    recency,
    text,
    when,
    within,
)
from recsys.features.product import PRICE_LEVEL

MEMBER_PRODUCT_SPINE = Relation(
    "member_product_spine",
    """
    SELECT candidate.member_code, candidate.product_code, member_id, product_id
    FROM candidate
    JOIN member_spine ON member_spine.member_code = candidate.member_code
    JOIN product_spine ON product_spine.product_code = candidate.product_code
    """,
)

# visit: the ordinal of the day among all the member's purchase days; gap, recent: as in member_day, of the product.
OWN_PRODUCT_VISIT = Relation(
    "own_product_visit",
    """
    SELECT bought.member_code, bought.product_code, bought.day, bought.quantity, member_day.nth AS visit, visits,
           bought.day - lag(bought.day) OVER (
               PARTITION BY bought.member_code, bought.product_code ORDER BY bought.day
           ) AS gap,
           row_number() OVER (PARTITION BY bought.member_code, bought.product_code ORDER BY bought.day DESC) AS recent
    FROM member_product_day AS bought
    JOIN candidate
        ON candidate.member_code = bought.member_code AND candidate.product_code = bought.product_code
    JOIN member_day ON member_day.member_code = bought.member_code AND member_day.day = bought.day
    JOIN member_total ON member_total.member_code = bought.member_code
    """,
)

# One row a member: totals that shares are taken of.
MEMBER_TOTAL = Relation(
    "member_total",
    """
    SELECT visited.member_code, visits, times, price_level
    FROM (
        SELECT member_code, count(*) AS visits FROM member_day GROUP BY member_code
    ) AS visited
    JOIN (SELECT member_code, sum(days) AS times FROM member_product_life GROUP BY member_code) AS bought
        ON bought.member_code = visited.member_code
    JOIN (
        SELECT member_code, sum(money) / nullif(sum(expected), 0) AS price_level FROM member_spend GROUP BY member_code
    ) AS spent ON spent.member_code = visited.member_code
    """,
)

PRODUCT_LEVEL = Relation(
    "product_level",
    f"SELECT product_code, {PRICE_LEVEL} AS price_level FROM product_price GROUP BY product_code",
)

# One row a pair: what the member bought of the product and its kin, the member's totals and the product's standing.
# *_times count (product, day) pairs.
PAIR_AFFINITY = Relation(
    "pair_affinity",
    """
    WITH kinds AS (
        SELECT member_code, subcategory_code, sum(days) AS times, max(last_day) AS last_day
        FROM member_product_life WHERE subcategory_code IS NOT NULL GROUP BY member_code, subcategory_code
    ),
    brands AS (
        SELECT member_code, brand_code, sum(days) AS times, max(last_day) AS last_day
        FROM member_product_life WHERE brand_code IS NOT NULL GROUP BY member_code, brand_code
    ),
    broad AS (
        SELECT member_code, category_code, sum(days) AS times, count(*) AS products
        FROM member_product_life GROUP BY member_code, category_code
    ),
    ranked AS (
        SELECT member_code, product_code, days, last_day,
               rank() OVER (PARTITION BY member_code ORDER BY days DESC) AS frequency_rank,
               rank() OVER (PARTITION BY member_code ORDER BY last_day DESC) AS recency_rank
        FROM member_product_life
    ),
    rhythm AS (
        SELECT product_code, sum(last_day - first_day) / nullif(sum(days - 1), 0) AS gap
        FROM member_product_life GROUP BY product_code
    )
    SELECT candidate.member_code, candidate.product_code, base.subcategory_code, base.brand_code,
           own.days, own.last_day, own.frequency_rank, own.recency_rank, rhythm.gap AS product_gap,
           life.days AS category_days, life.last_day AS category_last_day,
           (life.last_day - life.first_day) / nullif(life.days - 1, 0) AS category_gap,
           broad.times AS category_times, broad.products AS category_products,
           kinds.times AS subcategory_times, kinds.last_day AS subcategory_last_day,
           brands.times AS brand_times, brands.last_day AS brand_last_day,
           totals.visits, totals.times AS times,
           product_level.price_level - totals.price_level AS price_distance
    FROM candidate
    JOIN product_base AS base ON base.product_code = candidate.product_code
    JOIN member_total AS totals ON totals.member_code = candidate.member_code
    JOIN product_level ON product_level.product_code = candidate.product_code
    LEFT JOIN rhythm ON rhythm.product_code = candidate.product_code
    LEFT JOIN ranked AS own
        ON own.member_code = candidate.member_code AND own.product_code = candidate.product_code
    LEFT JOIN member_category_life AS life
        ON life.member_code = candidate.member_code AND life.category_code = base.category_code
    LEFT JOIN broad ON broad.member_code = candidate.member_code AND broad.category_code = base.category_code
    LEFT JOIN kinds ON kinds.member_code = candidate.member_code AND kinds.subcategory_code = base.subcategory_code
    LEFT JOIN brands ON brands.member_code = candidate.member_code AND brands.brand_code = base.brand_code
    """,
)

SOURCES = (MEMBER_PRODUCT_SPINE, MEMBER_TOTAL, OWN_PRODUCT_VISIT, PRODUCT_LEVEL, PAIR_AFFINITY)

_NOT_BOUGHT = "the member never bought it"
_ONE_DAY = "the member bought it on fewer than 2 days"


def _history() -> tuple[Draft, ...]:
    own = "own_product"
    return (
        number(f"{own}_purchase_days", "count", NEVER, "days on which the member bought it", "count(day)"),
        *(
            number(
                f"{own}_purchase_days_{w}d",
                "count",
                NEVER,
                f"days on which the member bought it in the last {w} days",
                count(within(w)),
            )
            for w in (30, 90, 365)
        ),
        number(f"{own}_days_since_purchase", "days", _NOT_BOUGHT, "as_of - last purchase day of it", recency()),
        number(
            f"{own}_days_since_first_purchase",
            "days",
            _NOT_BOUGHT,
            "as_of - first purchase day of it",
            f"{AS_OF} - min(day)",
        ),
        number(f"{own}_mean_gap", "days", _ONE_DAY, "mean days between purchase days of it", mean_gap()),
        number(f"{own}_last_gap", "days", _ONE_DAY, "days between the last two purchase days of it", last_gap()),
        number(
            f"{own}_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase of it / mean gap of it",
            overdue(mean_gap()),
        ),
        number(f"{own}_quantity", "units", NEVER, "units of it the member bought", quantity()),
        number(
            f"{own}_last_quantity_ratio",
            "ratio",
            _NOT_BOUGHT,
            "units on the last purchase day of it / mean units a purchase day of it",
            ratio(f"max({when('recent = 1', 'quantity')}) * count(day)", "sum(quantity)"),
        ),
        number(
            f"{own}_visits_between",
            "count",
            _ONE_DAY,
            "the member's purchase days from one purchase of it to the next, mean",
            ratio("max(visit) - min(visit)", "count(day) - 1"),
        ),
        number(
            f"{own}_visits_since",
            "count",
            _NOT_BOUGHT,
            "the member's purchase days after the last one with it",
            "max(visits) - max(visit)",
        ),
    )


def _standing() -> tuple[Draft, ...]:
    own = "own_product"
    return (
        number(
            f"{own}_basket_share",
            "share",
            NEVER,
            "days on which the member bought it / the member's purchase days",
            "coalesce(max(days), 0) / max(visits)",
        ),
        number(
            f"{own}_due_ratio",
            "ratio",
            "never bought by the member, or by nobody twice",
            "days since the last purchase of it / product_mean_gap",
            ratio(f"{AS_OF} - max(last_day)", "max(product_gap)"),
        ),
        number(
            f"{own}_frequency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's products bought on more days",
            "max(frequency_rank)",
        ),
        number(
            f"{own}_recency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's products bought more recently",
            "max(recency_rank)",
        ),
        number(
            f"{own}_share_of_category",
            "share",
            "the member never bought its category",
            "days with it / (product, day) pairs in its category",
            ratio("coalesce(max(days), 0)", "max(category_times)"),
        ),
    )


def _affinity() -> tuple[Draft, ...]:
    def times(kin: str, known: str) -> str:
        return f"max({when(f'{known} IS NOT NULL', f'coalesce({kin}_times, 0)')}) / max(times)"

    return (
        number(
            "affinity_category_visit_share",
            "share",
            NEVER,
            "days with its category / the member's purchase days",
            "coalesce(max(category_days), 0) / max(visits)",
        ),
        number(
            "affinity_category_share",
            "share",
            NEVER,
            "(product, day) pairs in its category / all the member's",
            "coalesce(max(category_times), 0) / max(times)",
        ),
        number(
            "affinity_category_days_since",
            "days",
            "the member never bought its category",
            "as_of - last purchase day in its category",
            f"{AS_OF} - max(category_last_day)",
        ),
        number(
            "affinity_category_overdue_ratio",
            "ratio",
            "the member bought its category on fewer than 2 days",
            "days since the last purchase in its category / mean gap in its category",
            ratio(f"{AS_OF} - max(category_last_day)", "max(category_gap)"),
        ),
        number(
            "affinity_category_products",
            "count",
            NEVER,
            "distinct products of its category the member bought",
            "coalesce(max(category_products), 0)",
        ),
        number(
            "affinity_subcategory_share",
            "share",
            "subcategory unknown",
            "(product, day) pairs in its subcategory / all the member's",
            times("subcategory", "subcategory_code"),
        ),
        number(
            "affinity_subcategory_days_since",
            "days",
            "the member never bought its subcategory",
            "as_of - last purchase day in its subcategory",
            f"{AS_OF} - max(subcategory_last_day)",
        ),
        number(
            "affinity_brand_share",
            "share",
            "brand unknown",
            "(product, day) pairs of its brand / all the member's",
            times("brand", "brand_code"),
        ),
        number(
            "affinity_brand_days_since",
            "days",
            "the member never bought its brand",
            "as_of - last purchase day of its brand",
            f"{AS_OF} - max(brand_last_day)",
        ),
        number(
            "price_level_distance",
            "ratio",
            "product or member price level unknown",
            "product_price_level - price_level",
            "max(price_distance)",
        ),
    )


def _candidate() -> tuple[Draft, ...]:
    return (
        number("is_candidate", "flag", NEVER, "1 where a candidate source named the pair, else 0", "max(is_candidate)"),
        number(
            "is_launch", "flag", NEVER, "1 where it is a launch that the member has not bought yet", "max(is_launch)"
        ),
        text(
            "candidate_source",
            NEVER,
            "first that named it of history, neighbour, als, popular, launch",
            "max(candidate_source)",
        ),
        number(
            "history_score",
            "points",
            NEVER,
            "sum over the days the member bought it of 8 within 28 days, 4 within 84, 2 within 182, else 1",
            "max(history_score)",
        ),
        number(
            "neighbour_score",
            "similarity",
            NEVER,
            "mean similarity to it of the member's factorised products of the last 365 days, weighted by history_score",
            "max(neighbour_score)",
        ),
        number(
            "als_score",
            "score",
            "member or product outside the factorisation",
            "product of the ALS factors of the member and of it",
            "max(als_score)",
        ),
    )


def _events() -> tuple[Draft, ...]:
    return (
        *(
            number(
                f"own_product_{plural}_30d",
                "count",
                NEVER,
                f"the member's {kind} events on it in the last 30 days",
                count(f"type = '{kind}' AND {within(30)}"),
            )
            for kind, plural in {"view": "views", "cart": "carts", "favourite": "favourites"}.items()
        ),
        number("own_product_days_since_event", "days", "no event on it", "as_of - last event day on it", recency()),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER_PRODUCT, "candidate", _candidate()),
    *features(View.MEMBER_PRODUCT, "own_product_visit", _history()),
    *features(View.MEMBER_PRODUCT, "pair_affinity", (*_standing(), *_affinity())),
    *features(View.MEMBER_PRODUCT, "product_event", _events()),
)
