"""What every feature is computed from: ids as integers, purchases as lines and as days, staged once a snapshot.

This and `life_stage.py` alone call functions that DuckDB names and Spark does not (`spark/dialect.py` defines them):
instants and months become whole days here. Money is kept in
whole ten-thousandths of the currency and quantity in whole thousandths: sums of integers do not depend on the order
in which an engine adds them, so the same tables give the same bytes.
"""

from recsys.data.engine import subcategory_of
from recsys.data.schema import UNKNOWN_CATEGORY
from recsys.data.snapshot import LAUNCH_DAYS
from recsys.features.expression import AS_OF, MONEY_UNITS, QUANTITY_UNITS, Relation, gap_weight, recent

ACTIVE_DAYS = 84


_DAY = 86_400_000_000

# Sums stay 64-bit, in which an engine adds them fastest.
_LINES = "CAST(sum(lines) AS BIGINT) AS lines"
_SUMS = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in ("money", "discount", "quantity"))


def _coded(column: str) -> str:
    """Select the different values of a column with their codes, which count from 1 in their order."""
    code = f"CAST(row_number() OVER (ORDER BY {column}) AS INTEGER) AS {column}_code"
    return f"SELECT {column}, {code} FROM labelled WHERE {column} IS NOT NULL GROUP BY {column}"


# One row a product that was sold, listed or announced. Codes of products that are only announced come last, so that
# an announcement moves no other product's code.
PRODUCT_BASE = Relation(
    "product_base",
    f"""
    WITH sold AS (SELECT DISTINCT product_id FROM orders),
    listed AS (
        SELECT product_id, category, subcategory, brand, price, package_size, launched_at, delisted_at, is_consumable
        FROM products
    ),
    announced AS (
        SELECT product_id, category, subcategory, brand, price, package_size, launched_at,
               CAST(NULL AS TIMESTAMP) AS delisted_at, is_consumable
        FROM launches
        WHERE epoch_us(launched_at) >= {{instant}} - {LAUNCH_DAYS} * {_DAY}
          AND epoch_us(launched_at) < {{instant}} + {LAUNCH_DAYS} * {_DAY}
    ),
    every AS (
        SELECT *, 0 AS is_announced FROM listed
        UNION ALL
        SELECT *, 1 FROM announced WHERE product_id NOT IN (SELECT product_id FROM listed)
    ),
    labelled AS (
        SELECT coalesce(every.product_id, sold.product_id) AS product_id,
               CASE WHEN sold.product_id IS NULL THEN coalesce(is_announced, 0) ELSE 0 END AS is_announced,
               coalesce(category, '{UNKNOWN_CATEGORY}') AS category, {subcategory_of("every")} AS subcategory,
               brand, price, package_size,
               divide({{instant}} - epoch_us(launched_at), {_DAY}) AS launch_age,
               CASE WHEN epoch_us(delisted_at) < {{instant}} THEN 1 ELSE 0 END AS is_delisted,
               CASE WHEN is_consumable THEN 1 WHEN NOT is_consumable THEN 0 END AS is_consumable,
               CASE WHEN every.product_id IN (SELECT product_id FROM announced) THEN 1 ELSE 0 END AS is_launch
        FROM every FULL JOIN sold USING (product_id)
    )
    SELECT labelled.*, product_code, category_code, subcategory_code, brand_code
    FROM labelled
    JOIN (
        SELECT product_id, CAST(row_number() OVER (ORDER BY is_announced, product_id) AS INTEGER) AS product_code
        FROM labelled
    ) AS coded ON coded.product_id = labelled.product_id
    JOIN ({_coded("category")}) AS broad ON broad.category = labelled.category
    JOIN ({_coded("subcategory")}) AS narrow ON narrow.subcategory = labelled.subcategory
    LEFT JOIN ({_coded("brand")}) AS named ON named.brand = labelled.brand
    """,
)

# One row a subcategory: see `subcategory_of` for what it is when a retailer names none.
SUBCATEGORY_BASE = Relation(
    "subcategory_base",
    """
    SELECT subcategory_code, subcategory, min(category_code) AS category_code, min(category) AS category,
           min(is_announced) AS is_announced, min(is_delisted) AS is_delisted
    FROM product_base
    GROUP BY subcategory_code, subcategory
    """,
)

MEMBER_BASE = Relation(
    "member_base",
    f"""
    WITH known AS (SELECT member_id FROM orders UNION SELECT member_id FROM members)
    SELECT known.member_id,
           CAST(row_number() OVER (ORDER BY known.member_id) AS INTEGER) AS member_code,
           CASE WHEN known.member_id IN (SELECT member_id FROM opted_out) THEN 0 ELSE 1 END AS is_personal,
           divide({{instant}} - epoch_us(registered_at), {_DAY}) AS registered_age,
           {{as_of}} - CAST(birth_date - DATE '1970-01-01' AS INTEGER) AS age,
           {{as_of}} - CAST(child_birth_date - DATE '1970-01-01' AS INTEGER) AS child_age,
           gender, city, source_channel, tier, points_balance
    FROM known LEFT JOIN members ON members.member_id = known.member_id
    """,
)

PURCHASE = Relation(
    "purchase",
    f"""
    SELECT member_code, product_code, category_code, subcategory_code, brand_code,
           day, hour, weekday, channel, store_id,
           CAST(round(amount * {MONEY_UNITS}) AS BIGINT) AS money,
           CAST(round(coalesce(discount, 0) * {MONEY_UNITS}) AS BIGINT) AS discount,
           CAST(round(quantity * {QUANTITY_UNITS}) AS BIGINT) AS quantity,
           CASE WHEN coupon_id IS NULL THEN 0 ELSE 1 END AS has_coupon
    FROM orders
    JOIN member_base ON member_base.member_id = orders.member_id
    JOIN product_base ON product_base.product_id = orders.product_id
    WHERE NOT coalesce(is_return, false)
    """,
)

RETURNED = Relation(
    "returned",
    """
    SELECT member_code, product_code, day
    FROM orders
    JOIN member_base ON member_base.member_id = orders.member_id
    JOIN product_base ON product_base.product_id = orders.product_id
    WHERE coalesce(is_return, false)
    """,
)

EVENT = Relation(
    "event",
    """
    SELECT member_code, product_code, subcategory_code, category_code, type, day
    FROM events
    JOIN member_base ON member_base.member_id = events.member_id
    LEFT JOIN product_base ON product_base.product_id = events.product_id
    """,
)

CAMPAIGN_TOUCH = Relation(
    "campaign_touch",
    """
    SELECT member_code, day, 1 AS is_contact, 0 AS is_redemption
    FROM contacts JOIN member_base ON member_base.member_id = contacts.member_id
    UNION ALL
    SELECT member_code, day, 0, 1
    FROM redemptions JOIN member_base ON member_base.member_id = redemptions.member_id
    """,
)

MEMBER_PRODUCT_DAY = Relation(
    "member_product_day",
    f"""
    SELECT member_code, product_code, category_code, subcategory_code, brand_code, day,
           count(*) AS lines, {_SUMS}
    FROM purchase
    GROUP BY member_code, product_code, category_code, subcategory_code, brand_code, day
    """,
)

MEMBER_SUBCATEGORY_DAY = Relation(
    "member_subcategory_day",
    f"""
    SELECT member_code, subcategory_code, day, {_SUMS}
    FROM member_product_day
    GROUP BY member_code, subcategory_code, day
    """,
)

MEMBER_CATEGORY_DAY = Relation(
    "member_category_day",
    f"""
    SELECT member_code, category_code, day, {_LINES}, {_SUMS}
    FROM member_product_day
    GROUP BY member_code, category_code, day
    """,
)

# gap: days since the member's purchase day before; nth: 1 = the first purchase day; recent: 1 = the last one;
# weight: of the gap in the weighted mean gap.
MEMBER_DAY = Relation(
    "member_day",
    f"""
    WITH days AS (
        SELECT member_code, day, {_LINES}, {_SUMS}
        FROM member_category_day
        GROUP BY member_code, day
    ),
    ordered AS (
        SELECT *, day - lag(day) OVER one AS gap, row_number() OVER one AS nth,
               {recent("PARTITION BY member_code ORDER BY day")} AS recent
        FROM days
        WINDOW one AS (PARTITION BY member_code ORDER BY day)
    )
    SELECT *, {gap_weight()} AS weight FROM ordered
    """,
)

# score: every purchase day weighs 8, 4, 2 or 1 by its age.
_LIFE = f"""
           count(*) AS days, min(day) AS first_day, max(day) AS last_day,
           CAST(sum(CASE WHEN day >= {AS_OF} - 28 THEN 8 WHEN day >= {AS_OF} - 84 THEN 4
                         WHEN day >= {AS_OF} - 182 THEN 2 ELSE 1 END) AS INTEGER) AS score,
           count(CASE WHEN day >= {AS_OF} - 365 THEN 1 END) AS days_365d
"""

MEMBER_PRODUCT_LIFE = Relation(
    "member_product_life",
    f"""
    SELECT member_code, product_code, category_code, subcategory_code, brand_code, {_LIFE}
    FROM member_product_day
    GROUP BY member_code, product_code, category_code, subcategory_code, brand_code
    """,
)

MEMBER_SUBCATEGORY_LIFE = Relation(
    "member_subcategory_life",
    f"""
    SELECT member_code, subcategory_code, {_LIFE}
    FROM member_subcategory_day
    GROUP BY member_code, subcategory_code
    """,
)

MEMBER_CATEGORY_LIFE = Relation(
    "member_category_life",
    """
    SELECT member_code, category_code, count(*) AS days, min(day) AS first_day, max(day) AS last_day,
           CAST(sum(money) AS BIGINT) AS money, CAST(sum(quantity) AS BIGINT) AS quantity
    FROM member_category_day
    GROUP BY member_code, category_code
    """,
)

# price: mean money paid a unit over all of the category's purchases, in the units of `money` over `quantity`.
CATEGORY_PRICE = Relation(
    "category_price",
    """
    SELECT category_code, sum(money) / nullif(sum(quantity), 0) AS price
    FROM member_category_life
    GROUP BY category_code
    """,
)

BASES = (PRODUCT_BASE, SUBCATEGORY_BASE, MEMBER_BASE)
LINES = (PURCHASE, RETURNED, CAMPAIGN_TOUCH)
FACTS = (
    EVENT,
    MEMBER_PRODUCT_DAY,
    MEMBER_SUBCATEGORY_DAY,
    MEMBER_CATEGORY_DAY,
    MEMBER_DAY,
    MEMBER_PRODUCT_LIFE,
    MEMBER_SUBCATEGORY_LIFE,
    MEMBER_CATEGORY_LIFE,
)
