"""Features of a member beside purchases: returns, launches tried, events, campaigns, and who the member is."""

from recsys.core.task import FeatureSpec, View
from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
    Relation,
    count,
    distinct,
    features,
    number,
    ratio,
    recency,
    text,
    total,
    when,
    within,
)

MEMBER_RETURN = Relation(
    "member_return",
    """
    SELECT member_code, day, lines, 0 AS returns FROM member_day
    UNION ALL
    SELECT member_code, day, 0, 1 FROM returned
    """,
    stored=False,
)

# One row for each member and launch of the last year that the member bought, and one with a null for everybody.
MEMBER_LAUNCH = Relation(
    "member_launch",
    """
    WITH launched AS (SELECT product_code FROM product_base WHERE launch_age BETWEEN 1 AND 365)
    SELECT member_code, CAST(NULL AS INTEGER) AS product_code, (SELECT count(*) FROM launched) AS launches
    FROM member_base
    UNION ALL
    SELECT member_code, product_code, 0
    FROM member_product_life WHERE product_code IN (SELECT product_code FROM launched)
    """,
    stored=False,
)

SOURCES = (MEMBER_RETURN, MEMBER_LAUNCH)


def _returns() -> tuple[Draft, ...]:
    return (
        number(
            "return_rate",
            "share",
            "neither bought nor returned",
            "returned lines / (bought lines + returned lines)",
            ratio("sum(returns)", "sum(lines) + sum(returns)"),
        ),
        number(
            "days_since_return",
            "days",
            "never returned",
            "as_of - day of the last return",
            f"{AS_OF} - max({when('returns = 1', 'day')})",
        ),
    )


def _launches() -> tuple[Draft, ...]:
    return (
        number(
            "launch_adoption_rate",
            "share",
            "nothing launched in the year",
            "products bought that were launched 1-365 days before as_of / products so launched",
            ratio("count(product_code)", "max(launches)"),
        ),
        number(
            "launches_bought_365d",
            "count",
            NEVER,
            "products bought that were launched 1-365 days before as_of",
            "count(product_code)",
        ),
    )


def _events() -> tuple[Draft, ...]:
    kinds = {"view": "views", "favourite": "favourites", "cart": "carts", "search": "searches", "check_in": "check_ins"}
    return (
        *(
            number(
                f"{plural}_30d",
                "count",
                NEVER,
                f"{kind} events in the last 30 days",
                count(f"type = '{kind}' AND {within(30)}"),
            )
            for kind, plural in kinds.items()
        ),
        number("events_90d", "count", NEVER, "events of any type in the last 90 days", count(within(90))),
        number("days_since_event", "days", "no event", "as_of - day of the last event", recency()),
        number(
            "days_since_cart",
            "days",
            "no cart event",
            "as_of - day of the last cart event",
            f"{AS_OF} - max(CASE WHEN type = 'cart' THEN day END)",
        ),
        number(
            "viewed_products_30d",
            "count",
            NEVER,
            "distinct known products viewed in the last 30 days",
            distinct("product_code", f"type = 'view' AND {within(30)}"),
        ),
    )


def _campaigns() -> tuple[Draft, ...]:
    def latest(flag: str) -> str:
        return f"{AS_OF} - max({when(f'{flag} = 1', 'day')})"

    return (
        number("contacts_30d", "count", NEVER, "contacts in the last 30 days", total("is_contact", within(30))),
        number("contacts_365d", "count", NEVER, "contacts in the last 365 days", total("is_contact", within(365))),
        number(
            "days_since_contact", "days", "never contacted", "as_of - day of the last contact", latest("is_contact")
        ),
        number(
            "redemptions_90d", "count", NEVER, "coupons used in the last 90 days", total("is_redemption", within(90))
        ),
        number(
            "redemptions_365d", "count", NEVER, "coupons used in the last 365 days", total("is_redemption", within(365))
        ),
        number(
            "days_since_redemption",
            "days",
            "no coupon used",
            "as_of - day of the last coupon used",
            latest("is_redemption"),
        ),
        number(
            "redemptions_per_contact_365d",
            "ratio",
            "not contacted in the year",
            "redemptions_365d / contacts_365d",
            ratio(total("is_redemption", within(365)), total("is_contact", within(365))),
        ),
    )


def _profile() -> tuple[Draft, ...]:
    unknown = "unknown"
    return (
        number(
            "days_since_registration", "days", unknown, "whole days from registered_at to as_of", "max(registered_age)"
        ),
        number("age_years", "years", unknown, "days from birth_date to as_of / 365.25", "max(age) * 4 / 1461"),
        number(
            "child_age_months", "months", unknown, "days from child_birth_date / 30.4375", "max(child_age) * 16 / 487"
        ),
        number("points_balance", "points", "unknown as of as_of", "points at the last update", "max(points_balance)"),
        text("gender", unknown, "gender of the member", "max(gender)"),
        text("city", unknown, "home city", "max(city)"),
        text("source_channel", unknown, "how the member was won", "max(source_channel)"),
        text("tier", "unknown as of as_of", "loyalty tier at the last update", "max(tier)"),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    *features(View.MEMBER, "member_return", _returns()),
    *features(View.MEMBER, "member_launch", _launches()),
    *features(View.MEMBER, "event", _events()),
    *features(View.MEMBER, "campaign_touch", _campaigns()),
    *features(View.MEMBER, "member_base", _profile()),
)
