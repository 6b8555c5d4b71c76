"""Features of a subcategory: who buys it, how often, how popular it is, and how wide it is."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
    Relation,
    count,
    features,
    money,
    number,
    quantity,
    ratio,
    text,
)
from recsys.features.item import buyers, popularity, popularity_relation, sales, usual_relation
from recsys.features.level import SUBCATEGORY

SUBCATEGORY_SPINE = Relation(
    "subcategory_spine", "SELECT subcategory_code, subcategory FROM subcategory_base WHERE is_announced = 0"
)

SUBCATEGORY_POPULARITY = popularity_relation(SUBCATEGORY)

SUBCATEGORY_USUAL = usual_relation(SUBCATEGORY)

# One row a subcategory and product of it that was sold.
SUBCATEGORY_ASSORTMENT = Relation(
    "subcategory_assortment",
    """
    SELECT subcategory_code, product_code, max(last_day) AS last_day
    FROM member_product_life
    GROUP BY subcategory_code, product_code
    """,
    stored=False,
)

# One row a subcategory, with the recent buyers of its category.
SUBCATEGORY_KIN = Relation(
    "subcategory_kin",
    f"""
    WITH broad AS (
        SELECT category_code, count(*) AS buyers
        FROM member_category_life WHERE last_day >= {AS_OF} - 90 GROUP BY category_code
    )
    SELECT popularity.subcategory_code, buyers_90d, broad.buyers AS category_buyers
    FROM subcategory_popularity AS popularity
    LEFT JOIN broad ON broad.category_code = popularity.category_code
    """,
    stored=False,
)

SUBCATEGORY_EVENT = Relation("subcategory_event", "SELECT * FROM event WHERE product_code IS NOT NULL", stored=False)

SOURCES = (
    SUBCATEGORY_EVENT,
    SUBCATEGORY_POPULARITY,
    SUBCATEGORY_USUAL,
    SUBCATEGORY_ASSORTMENT,
    SUBCATEGORY_KIN,
)


def _width() -> tuple[Draft, ...]:
    return (
        number("subcategory_products", "count", NEVER, "distinct products of it ever bought", "count(*)"),
        number(
            "subcategory_products_90d",
            "count",
            NEVER,
            "distinct products of it bought in the last 90 days",
            count(f"last_day >= {AS_OF} - 90"),
        ),
    )


def _price() -> Draft:
    return number(
        "subcategory_mean_price",
        "money per unit",
        "never sold",
        "money / units over its purchases",
        ratio(money(), quantity()),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(
        View.SUBCATEGORY,
        "subcategory_base",
        (text("subcategory_category", NEVER, "its category; 'unknown' where there is none", "max(category)"),),
    ),
    *features(View.SUBCATEGORY, "member_subcategory_life", buyers(SUBCATEGORY)),
    *features(View.SUBCATEGORY, "member_subcategory_day", (*sales(SUBCATEGORY), _price())),
    *features(View.SUBCATEGORY, "subcategory_popularity", popularity(SUBCATEGORY)),
    *features(View.SUBCATEGORY, "subcategory_assortment", _width()),
    *features(
        View.SUBCATEGORY,
        "subcategory_kin",
        (
            number(
                "subcategory_share_of_category",
                "ratio",
                "category without buyers in the last 90 days",
                "its distinct buyers in the last 90 days / those of its category",
                ratio("max(buyers_90d)", "max(category_buyers)"),
            ),
        ),
    ),
)
