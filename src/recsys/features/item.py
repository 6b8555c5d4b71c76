"""Features of an item of a level, a product or a subcategory: who buys it, how often, and how popular it is."""

from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
    Relation,
    between,
    count,
    number,
    quantity,
    ratio,
    recency,
    total,
    trend,
    within,
)
from recsys.features.level import Level

_NEVER_SOLD = "never sold"


def popularity_relation(level: Level) -> Relation:
    """Draft one row an item; ranks: 1 = most buyers, equal ones share it, so that an item without sales moves none."""
    name, code = level.name, level.code
    return Relation(
        f"{name}_popularity",
        f"""
        WITH bought AS (
            SELECT {code},
                   count(CASE WHEN last_day >= {AS_OF} - 28 THEN 1 END) AS buyers_28d,
                   count(CASE WHEN last_day >= {AS_OF} - 90 THEN 1 END) AS buyers_90d,
                   count(CASE WHEN first_day >= {AS_OF} - 28 THEN 1 END) AS new_buyers_28d
            FROM member_{name}_life
            GROUP BY {code}
        ),
        often AS (
            SELECT {code}, count(CASE WHEN day >= {AS_OF} - 28 THEN 1 END) AS times_28d, count(*) AS times
            FROM member_{name}_day
            GROUP BY {code}
        ),
        every AS (
            SELECT base.{code}, category_code, coalesce(times_28d, 0) AS times_28d, coalesce(times, 0) AS times,
                   coalesce(buyers_28d, 0) AS buyers_28d, coalesce(buyers_90d, 0) AS buyers_90d,
                   coalesce(new_buyers_28d, 0) AS new_buyers_28d
            FROM {name}_base AS base
            LEFT JOIN bought ON bought.{code} = base.{code}
            LEFT JOIN often ON often.{code} = base.{code}
        )
        SELECT {code}, category_code, buyers_28d, buyers_90d, new_buyers_28d, times_28d, times,
               rank() OVER (ORDER BY buyers_28d DESC) AS popularity_rank,
               rank() OVER (PARTITION BY category_code ORDER BY buyers_90d DESC) AS category_rank
        FROM every
        """,
    )


def usual_relation(level: Level) -> Relation:
    """Draft one row an item that was bought; gap: mean of all gaps of all members in it."""
    name, code = level.name, level.code
    return Relation(
        f"{name}_usual",
        f"""
        SELECT {code}, sum(last_day - first_day) / nullif(sum(days - 1), 0) AS gap
        FROM member_{name}_life GROUP BY {code}
        """,
    )


def buyers(level: Level) -> tuple[Draft, ...]:
    """Draft features over `member_<level>_life`."""
    name = level.name
    return (
        number(f"{name}_buyers", "count", NEVER, "distinct members who bought it", "count(*)"),
        *(
            number(
                f"{name}_buyers_{w}d",
                "count",
                NEVER,
                f"distinct members who bought it in the last {w} days",
                count(f"last_day >= {AS_OF} - {w}"),
            )
            for w in (7, 28, 90)
        ),
        *(
            number(
                f"{name}_new_buyers_{w}d",
                "count",
                NEVER,
                f"distinct members whose first purchase of it fell in the last {w} days",
                count(f"first_day >= {AS_OF} - {w}"),
            )
            for w in (28, 90)
        ),
        number(
            f"{name}_repeat_rate",
            "share",
            _NEVER_SOLD,
            "buyers with 2 or more purchase days of it / buyers",
            f"{count('days >= 2')} / count(*)",
        ),
        number(
            f"{name}_purchase_days_per_buyer",
            "count",
            _NEVER_SOLD,
            "(member, day) pairs with a purchase of it / buyers",
            "sum(days) / count(*)",
        ),
        number(
            f"{name}_mean_gap",
            "days",
            "nobody bought it twice",
            "mean of all gaps of all members in it",
            ratio("sum(last_day - first_day)", "sum(days - 1)"),
        ),
        number(
            f"{name}_new_buyer_share_28d",
            "share",
            "no buyer in 28 days",
            "buyers of the last 28 days whose first purchase of it fell in them / buyers of the last 28 days",
            ratio(count(f"first_day >= {AS_OF} - 28"), count(f"last_day >= {AS_OF} - 28")),
        ),
    )


def sales(level: Level) -> tuple[Draft, ...]:
    """Draft features over `member_<level>_day`."""
    name = level.name
    return (
        number(f"{name}_days_since_first_sale", "days", _NEVER_SOLD, "as_of - first sale day", f"{AS_OF} - min(day)"),
        number(f"{name}_days_since_last_sale", "days", _NEVER_SOLD, "as_of - last sale day", recency()),
        *(
            number(
                f"{name}_purchase_days_{w}d",
                "count",
                NEVER,
                f"(member, day) pairs with a purchase of it in the last {w} days",
                count(within(w)),
            )
            for w in (7, 28)
        ),
        *(
            number(
                f"{name}_trend_{w}d",
                "ratio",
                f"no sale in {2 * w} days",
                f"(a - b) / (a + b), (member, day) pairs of the last {w} days and of the {w} before",
                trend(count(within(w)), count(between(2 * w, w))),
            )
            for w in (7, 28)
        ),
        number(
            f"{name}_quantity_per_purchase_day",
            "units",
            _NEVER_SOLD,
            "units / (member, day) pairs",
            ratio(quantity(), "count(*)"),
        ),
        number(
            f"{name}_discount_share",
            "share",
            "no list value",
            "discount / (money + discount)",
            ratio("sum(discount)", "sum(money) + sum(discount)"),
        ),
        number(
            f"{name}_discount_share_14d",
            "share",
            "no list value in 14 days",
            "discount / (money + discount) of the last 14 days",
            ratio(total("discount", within(14)), f"{total('money', within(14))} + {total('discount', within(14))}"),
        ),
    )


def popularity(level: Level) -> tuple[Draft, ...]:
    """Draft features over `<level>_popularity`."""
    name, items = level.name, {"product": "products", "subcategory": "subcategories"}[level.name]
    return (
        number(
            f"{name}_popularity_rank",
            "rank",
            NEVER,
            f"1 + {items} with more buyers in the last 28 days",
            "max(popularity_rank)",
        ),
        number(
            f"{name}_rank_in_category",
            "rank",
            NEVER,
            f"1 + {items} of its category with more buyers in the last 90 days",
            "max(category_rank)",
        ),
    )
