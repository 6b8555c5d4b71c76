"""Features of a product: what it is, who buys it, how its price stands and how popular it is."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    MONEY_UNITS,
    NEVER,
    QUANTITY_UNITS,
    Draft,
    Relation,
    count,
    features,
    number,
    ratio,
    text,
    within,
)
from recsys.features.item import buyers, popularity, popularity_relation, sales, usual_relation
from recsys.features.level import PRODUCT

PRODUCT_SPINE = Relation("product_spine", "SELECT product_code, product_id FROM product_base")

PRODUCT_POPULARITY = popularity_relation(PRODUCT)

PRODUCT_USUAL = usual_relation(PRODUCT)

# One row a product: what its brand, subcategory and category sold, which speaks for it before it has sales of its own.
PRODUCT_KIN = Relation(
    "product_kin",
    """
    WITH recent AS (SELECT * FROM member_product_life WHERE last_day >= {as_of} - 90),
    brands AS (SELECT brand_code, count(DISTINCT member_code) AS buyers FROM recent GROUP BY brand_code),
    kinds AS (SELECT subcategory_code, count(DISTINCT member_code) AS buyers FROM recent GROUP BY subcategory_code),
    broad AS (SELECT category_code, count(DISTINCT member_code) AS buyers FROM recent GROUP BY category_code)
    SELECT base.product_code, base.brand_code, base.subcategory_code, category_price.price AS category_price,
           own.buyers_90d AS own_buyers,
           brands.buyers AS brand_buyers, kinds.buyers AS subcategory_buyers, broad.buyers AS category_buyers
    FROM product_base AS base
    JOIN product_popularity AS own ON own.product_code = base.product_code
    LEFT JOIN brands ON brands.brand_code = base.brand_code
    LEFT JOIN kinds ON kinds.subcategory_code = base.subcategory_code
    LEFT JOIN broad ON broad.category_code = base.category_code
    LEFT JOIN category_price ON category_price.category_code = base.category_code
    """,
    stored=False,
)

# One row a product: its prices in money for a unit.
PRODUCT_PRICE = Relation(
    "product_price",
    f"""
    WITH sold AS (
        SELECT product_code, (sum(money) / {MONEY_UNITS}) / nullif(sum(quantity) / {QUANTITY_UNITS}, 0) AS paid
        FROM member_product_day GROUP BY product_code
    )
    SELECT base.product_code, base.price AS list_price, sold.paid AS mean_price,
           category_price.price * {QUANTITY_UNITS} / {MONEY_UNITS} AS category_price
    FROM product_base AS base
    LEFT JOIN sold ON sold.product_code = base.product_code
    LEFT JOIN category_price ON category_price.category_code = base.category_code
    """,
)

PRODUCT_EVENT = Relation("product_event", "SELECT * FROM event WHERE product_code IS NOT NULL", stored=False)

SOURCES = (PRODUCT_POPULARITY, PRODUCT_USUAL, PRODUCT_KIN, PRODUCT_PRICE, PRODUCT_EVENT)

PRICE_LEVEL = "coalesce(max(mean_price), max(list_price)) / nullif(max(category_price), 0)"

_NEVER_SOLD = "never sold"


def _identity() -> tuple[Draft, ...]:
    return (
        text("category", NEVER, "category; 'unknown' where the retailer names none", "max(category)"),
        text(
            "subcategory",
            NEVER,
            "category > subcategory; the category alone where the retailer names no subcategory",
            "max(subcategory)",
        ),
        text("brand", "unknown", "brand", "max(brand)"),
        text("package_size", "unknown", "package size as the retailer writes it", "max(package_size)"),
        number(
            "product_days_since_launch",
            "days",
            "launch date unknown",
            "whole days from launched_at to as_of, negative before the launch",
            "max(launch_age)",
        ),
        number("product_is_consumable", "flag", "unknown", "1 where is_consumable, 0 where not", "max(is_consumable)"),
    )


def _prices() -> tuple[Draft, ...]:
    return (
        number("product_list_price", "money per unit", "unknown", "list price", "max(list_price)"),
        number(
            "product_mean_price", "money per unit", _NEVER_SOLD, "money / units over its purchases", "max(mean_price)"
        ),
        number(
            "product_price_level",
            "ratio",
            "no price of it or of its category known",
            "product_mean_price, or list price where never sold / category_mean_price",
            PRICE_LEVEL,
        ),
    )


def _kin() -> tuple[Draft, ...]:
    return (
        number(
            "product_brand_buyers_90d",
            "count",
            NEVER,
            "distinct buyers of its brand in the last 90 days",
            "max(brand_buyers)",
        ),
        number(
            "product_subcategory_buyers_90d",
            "count",
            NEVER,
            "distinct buyers of its subcategory in the last 90 days",
            "max(subcategory_buyers)",
        ),
        number(
            "product_share_of_subcategory",
            "ratio",
            "subcategory without buyers in the last 90 days",
            "its distinct buyers in the last 90 days / product_subcategory_buyers_90d",
            ratio("max(own_buyers)", "max(subcategory_buyers)"),
        ),
        number(
            "product_category_buyers_90d",
            "count",
            NEVER,
            "distinct buyers of its category in the last 90 days",
            "max(category_buyers)",
        ),
        number(
            "product_brand_share_of_category",
            "ratio",
            "brand unknown or category without buyers",
            "product_brand_buyers_90d / product_category_buyers_90d",
            ratio("max(CASE WHEN brand_code IS NOT NULL THEN coalesce(brand_buyers, 0) END)", "max(category_buyers)"),
        ),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.PRODUCT, "product_base", _identity()),
    *features(View.PRODUCT, "member_product_life", buyers(PRODUCT)),
    *features(View.PRODUCT, "member_product_day", sales(PRODUCT)),
    *features(View.PRODUCT, "product_price", _prices()),
    *features(View.PRODUCT, "product_popularity", popularity(PRODUCT)),
    *features(View.PRODUCT, "product_kin", _kin()),
    *features(
        View.PRODUCT,
        "product_event",
        (
            number(
                "product_views_30d",
                "count",
                NEVER,
                "view events of members in the last 30 days",
                count(f"type = 'view' AND {within(30)}"),
            ),
            number(
                "product_carts_30d",
                "count",
                NEVER,
                "cart events of members in the last 30 days",
                count(f"type = 'cart' AND {within(30)}"),
            ),
        ),
    ),
)
