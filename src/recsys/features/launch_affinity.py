"""Features of a member and a launch: what the member bought of its brand within its own kind.

Loyalty to a brand in one kind of goods says little of another kind: who always buys a brand's coffee will try its new
roast, and not its new soap. Only launches have these features, as they stand for a history that a product cannot have.
"""

from collections.abc import Iterator

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import AS_OF, Draft, Relation, features, number, within

LAUNCH_KIN = Relation(
    "launch_kin",
    """
    SELECT candidate.member_code, candidate.product_code, base.category_code, base.subcategory_code, base.brand_code
    FROM candidate_product AS candidate
    JOIN product_base AS base ON base.product_code = candidate.product_code
    WHERE candidate.is_launch = 1 AND base.brand_code IS NOT NULL
    """,
)


def _bought(kind: str) -> str:
    """Select one row a member and brand within a kind that has a launch; kind: category or subcategory."""
    code = f"{kind}_code"
    return f"""
        SELECT bought.member_code, bought.{code}, bought.brand_code, count(DISTINCT day) AS days,
               count(DISTINCT CASE WHEN {within(90)} THEN day END) AS days_90d,
               count(DISTINCT product_code) AS products, max(day) AS last_day
        FROM member_product_day AS bought
        JOIN (SELECT DISTINCT {code}, brand_code FROM launch_kin) AS wanted
            ON wanted.{code} = bought.{code} AND wanted.brand_code = bought.brand_code
        GROUP BY bought.member_code, bought.{code}, bought.brand_code
    """


# One row a member and launch whose brand is known; all counts null where the member bought nothing of it.
LAUNCH_AFFINITY = Relation(
    "launch_affinity",
    f"""
    WITH narrow AS ({_bought("subcategory")}), broad AS ({_bought("category")})
    SELECT kin.member_code, kin.product_code,
           narrow.days AS subcategory_days, narrow.days_90d AS subcategory_days_90d,
           narrow.products AS subcategory_products, narrow.last_day AS subcategory_last_day,
           broad.days AS category_days, broad.days_90d AS category_days_90d,
           broad.products AS category_products, broad.last_day AS category_last_day
    FROM launch_kin AS kin
    LEFT JOIN narrow ON narrow.member_code = kin.member_code
        AND narrow.subcategory_code = kin.subcategory_code AND narrow.brand_code = kin.brand_code
    LEFT JOIN broad ON broad.member_code = kin.member_code
        AND broad.category_code = kin.category_code AND broad.brand_code = kin.brand_code
    """,
    stored=False,
)

SOURCES = (LAUNCH_KIN, LAUNCH_AFFINITY)

_UNKNOWN = "no launch, or brand unknown"


def _affinity(kind: str) -> Iterator[Draft]:
    name, goods = f"affinity_brand_in_{kind}", f"of its brand in its {kind}"
    days = f"days on which the member bought {goods}"
    counts = {
        "days": days,
        "days_90d": f"{days}, of the last 90 days",
        "products": f"distinct products {goods} the member bought",
    }
    for column, formula in counts.items():
        yield number(f"{name}_{column}", "count", _UNKNOWN, formula, f"coalesce({kind}_{column}, 0)")
    yield number(
        f"{name}_days_since",
        "days",
        f"{_UNKNOWN}, or the member never bought {goods}",
        f"as_of - last purchase day {goods}",
        f"{AS_OF} - {kind}_last_day",
    )


FEATURES: tuple[FeatureSpec, ...] = features(
    View.MEMBER_PRODUCT, "launch_affinity", (*_affinity("subcategory"), *_affinity("category"))
)
