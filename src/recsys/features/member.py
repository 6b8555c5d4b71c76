"""Features of a member as a buyer: when, how much, how widely and how the member buys."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    AS_OF,
    MONEY_UNITS,
    NEVER,
    WINDOWS,
    Draft,
    Relation,
    between,
    count,
    distinct,
    features,
    last_gap,
    mean_gap,
    money,
    number,
    overdue,
    quantity,
    ratio,
    recency,
    sd_gap,
    text,
    total,
    trend,
    weighted_gap,
    when,
    within,
)

MEMBER_SPINE = Relation(
    "member_spine",
    "SELECT member_code, member_id FROM member_base WHERE is_personal = 1",
)

# place: 1 = the value that most purchased lines carry; ties go to the smaller value.
MEMBER_HABIT = Relation(
    "member_habit",
    """
    WITH said AS (
        SELECT member_code, 'hour' AS habit, hour AS whole, CAST(NULL AS STRING) AS label, count(*) AS lines
        FROM purchase GROUP BY member_code, hour
        UNION ALL
        SELECT member_code, 'weekday', weekday, CAST(NULL AS STRING), count(*)
        FROM purchase GROUP BY member_code, weekday
        UNION ALL
        SELECT member_code, 'channel', 0, channel, count(*)
        FROM purchase WHERE channel IS NOT NULL GROUP BY member_code, channel
        UNION ALL
        SELECT member_code, 'store', 0, store_id, count(*)
        FROM purchase WHERE store_id IS NOT NULL GROUP BY member_code, store_id
    )
    SELECT *, row_number() OVER (PARTITION BY member_code, habit ORDER BY lines DESC, whole, label) AS place
    FROM said
    """,
    stored=False,
)

# expected: what the bought quantity costs at the category's mean price; place: 1 = the category with most money.
MEMBER_SPEND = Relation(
    "member_spend",
    """
    SELECT member_code, category, money, CAST(round(quantity * price) AS BIGINT) AS expected,
           row_number() OVER (PARTITION BY member_code ORDER BY money DESC, category) AS place
    FROM member_category_life
    JOIN category_price ON category_price.category_code = member_category_life.category_code
    JOIN (SELECT DISTINCT category_code, category FROM product_base) AS named
        ON named.category_code = member_category_life.category_code
    """,
)

SOURCES = (MEMBER_HABIT, MEMBER_SPEND)

_NO_PURCHASE = "never bought"
_ONE_DAY = "fewer than 2 purchase days"
_QUIET_90D = "nothing bought in 90 days"
_LATELY = f"last_day >= {AS_OF} - 90"


def _rhythm() -> tuple[Draft, ...]:
    days, paid = "purchase_days", "money"
    return (
        number("days_since_purchase", "days", _NO_PURCHASE, "as_of - last purchase day", recency()),
        number("days_since_first_purchase", "days", _NO_PURCHASE, "as_of - first purchase day", f"{AS_OF} - min(day)"),
        number(days, "count", NEVER, "distinct days with a purchase", "count(day)"),
        *(
            number(f"{days}_{w}d", "count", NEVER, f"purchase days in [as_of - {w}, as_of)", count(within(w)))
            for w in WINDOWS
        ),
        number(paid, "money", NEVER, "money paid so far", money()),
        *(
            number(f"{paid}_{w}d", "money", NEVER, f"money paid in [as_of - {w}, as_of)", money(within(w)))
            for w in WINDOWS
        ),
        number("mean_gap", "days", _ONE_DAY, "mean days between purchase days", mean_gap()),
        number("sd_gap", "days", "fewer than 3 purchase days", "sample sd of the gaps", sd_gap()),
        number("last_gap", "days", _ONE_DAY, "days between the last two purchase days", last_gap()),
        number("longest_gap", "days", _ONE_DAY, "longest gap between purchase days", "max(gap)"),
        number(
            "weighted_gap",
            "days",
            _ONE_DAY,
            "mean of the latest 8 gaps weighted 128, 64, ... 1 from the latest",
            weighted_gap(),
        ),
        number("overdue_ratio", "ratio", _ONE_DAY, "days_since_purchase / mean_gap", overdue(mean_gap())),
        number(
            "weighted_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days_since_purchase / weighted_gap",
            overdue(weighted_gap()),
        ),
        number(
            "purchase_days_trend_30d",
            "ratio",
            "no purchase in 60 days",
            "(a - b) / (a + b), purchase days of the last 30 days and of the 30 before",
            trend(count(within(30)), count(between(60, 30))),
        ),
        number(
            "money_trend_90d",
            "ratio",
            "nothing paid in 180 days",
            "(a - b) / (a + b), money of the last 90 days and of the 90 before",
            trend(total("money", within(90)), total("money", between(180, 90))),
        ),
        number(
            "active_weeks_share_84d",
            "share",
            NEVER,
            "weeks counted back from as_of with a purchase, of the last 12",
            f"{distinct(f'({AS_OF} - 1 - day) - ({AS_OF} - 1 - day) % 7', within(84))} / 12",
        ),
        number("money_per_purchase_day", "money", _NO_PURCHASE, "money / purchase_days", ratio(money(), "count(day)")),
        number(
            "money_per_purchase_day_90d",
            "money",
            _QUIET_90D,
            "money_90d / purchase_days_90d",
            ratio(money(within(90)), count(within(90))),
        ),
        number(
            "largest_money_per_day", "money", _NO_PURCHASE, "most money paid on one day", f"max(money) / {MONEY_UNITS}"
        ),
        number(
            "quantity_per_purchase_day",
            "units",
            _NO_PURCHASE,
            "units bought / purchase_days",
            ratio(quantity(), "count(day)"),
        ),
        number(
            "lines_per_purchase_day", "count", _NO_PURCHASE, "order lines / purchase_days", "sum(lines) / count(day)"
        ),
        number(
            "discount_share",
            "share",
            "no list value",
            "discount / (money + discount)",
            ratio("sum(discount)", "sum(money) + sum(discount)"),
        ),
        number(
            "discount_share_90d",
            "share",
            "no list value in 90 days",
            "discount / (money + discount) of the last 90 days",
            ratio(total("discount", within(90)), f"{total('money', within(90))} + {total('discount', within(90))}"),
        ),
    )


def _share_of_lines(name: str, formula: str, condition: str) -> Draft:
    return number(name, "share", _NO_PURCHASE, f"order lines {formula} / order lines", f"{count(condition)} / count(*)")


def _lines() -> tuple[Draft, ...]:
    return (
        _share_of_lines("discounted_line_share", "with a discount", "discount > 0"),
        _share_of_lines("coupon_line_share", "with a coupon", "has_coupon = 1"),
        number(
            "coupon_lines_90d",
            "count",
            NEVER,
            "order lines with a coupon in the last 90 days",
            count(f"has_coupon = 1 AND {within(90)}"),
        ),
        _share_of_lines("morning_share", "bought at hours 5-11", "hour BETWEEN 5 AND 11"),
        _share_of_lines("afternoon_share", "bought at hours 12-16", "hour BETWEEN 12 AND 16"),
        _share_of_lines("evening_share", "bought at hours 17-21", "hour BETWEEN 17 AND 21"),
        _share_of_lines("weekend_share", "bought on Saturday or Sunday", "weekday >= 5"),
        number("channels", "count", NEVER, "distinct channels bought through", distinct("channel")),
        number("stores", "count", NEVER, "distinct stores bought at", distinct("store_id")),
    )


def _categories() -> tuple[Draft, ...]:
    return (
        number("categories", "count", NEVER, "distinct categories bought", "count(*)"),
        number("categories_90d", "count", NEVER, "distinct categories bought in the last 90 days", count(_LATELY)),
    )


def _brands() -> tuple[Draft, ...]:
    return (
        number("brands", "count", NEVER, "distinct brands bought", distinct("brand_code")),
        number(
            "brands_90d",
            "count",
            NEVER,
            "distinct brands bought in the last 90 days",
            distinct("brand_code", _LATELY),
        ),
    )


def _habits() -> tuple[Draft, ...]:
    def first(habit: str, column: str) -> str:
        chosen = when(f"habit = '{habit}' AND place = 1", column)
        return f"max({chosen})"

    def leading(habit: str) -> str:
        lines = when(f"habit = '{habit}'", "lines")
        return ratio(first(habit, "lines"), f"sum({lines})")

    return (
        number(
            "favourite_hour",
            "hour",
            _NO_PURCHASE,
            "hour with most order lines, ties to the earlier",
            first("hour", "whole"),
        ),
        number("favourite_hour_share", "share", _NO_PURCHASE, "order lines of favourite_hour / all", leading("hour")),
        number(
            "favourite_weekday",
            "weekday",
            _NO_PURCHASE,
            "weekday (0 = Monday) with most order lines, ties to the earlier",
            first("weekday", "whole"),
        ),
        number(
            "favourite_weekday_share",
            "share",
            _NO_PURCHASE,
            "order lines of favourite_weekday / all",
            leading("weekday"),
        ),
        text("main_channel", "no known channel", "channel with most order lines", first("channel", "label")),
        number(
            "main_channel_share",
            "share",
            "no known channel",
            "order lines of main_channel / lines with a channel",
            leading("channel"),
        ),
        text("main_store", "no known store", "store with most order lines", first("store", "label")),
        number(
            "main_store_share",
            "share",
            "no known store",
            "order lines of main_store / lines with a store",
            leading("store"),
        ),
    )


def _breadth() -> tuple[Draft, ...]:
    return (
        number("products", "count", NEVER, "distinct products bought", "count(*)"),
        number("products_90d", "count", NEVER, "distinct products bought in the last 90 days", count(_LATELY)),
        number(
            "exploration_rate_90d",
            "share",
            _QUIET_90D,
            "products first bought in the last 90 days / products_90d",
            ratio(count(f"first_day >= {AS_OF} - 90"), count(_LATELY)),
        ),
        number(
            "repeat_product_share",
            "share",
            _NO_PURCHASE,
            "products bought on 2 or more days / products",
            f"{count('days >= 2')} / count(*)",
        ),
    )


def _category_breadth() -> tuple[Draft, ...]:
    return (
        number(
            "category_exploration_rate_90d",
            "share",
            _QUIET_90D,
            "categories first bought in the last 90 days / categories_90d",
            ratio(count(f"first_day >= {AS_OF} - 90"), count(_LATELY)),
        ),
        number(
            "repeat_category_share",
            "share",
            _NO_PURCHASE,
            "categories bought on 2 or more days / categories",
            f"{count('days >= 2')} / count(*)",
        ),
    )


def _spend() -> tuple[Draft, ...]:
    return (
        number(
            "price_level",
            "ratio",
            "never bought anything that costs money",
            "money / what the same quantities cost at each category's mean price",
            ratio("sum(money)", "sum(expected)"),
        ),
        text("main_category", _NO_PURCHASE, "category with most money", f"max({when('place = 1', 'category')})"),
        number(
            "main_category_share",
            "share",
            "nothing paid",
            "money in main_category / money",
            ratio(f"max({when('place = 1', 'money')})", "sum(money)"),
        ),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER, "member_day", _rhythm()),
    *features(View.MEMBER, "purchase", _lines()),
    *features(View.MEMBER, "member_category_life", _categories()),
    *features(View.MEMBER, "member_product_life", _brands()),
    *features(View.MEMBER, "member_habit", _habits()),
    *features(View.MEMBER, "member_product_life", _breadth()),
    *features(View.MEMBER, "member_category_life", _category_breadth()),
    *features(View.MEMBER, "member_spend", _spend()),
)
