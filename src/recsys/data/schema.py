"""Every table that is kept, declared once: checks, stored files and snapshots all read this list."""

from dataclasses import dataclass

TEXT = "VARCHAR"
NUMBER = "DOUBLE"
TIME = "TIMESTAMP"
DATE = "DATE"
FLAG = "BOOLEAN"
WHOLE = "INTEGER"
TEXT_MAP = "MAP(VARCHAR, VARCHAR)"

EVENT_TYPES = ("view", "search", "favourite", "cart", "check_in", "share")
UNKNOWN_CATEGORY = "unknown"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    type: its DuckDB type; TIMESTAMP is UTC.
    meaning: what a value says; null means unknown unless it says otherwise.
    required: null, and the empty text, are refused.
    default: SQL literal that stands for null, or None.
    above, least: numbers must be greater than, or no less than, this.
    among: the only texts allowed.
    """

    name: str
    type: str
    meaning: str
    required: bool = False
    default: str | None = None
    above: float | None = None
    least: float | None = None
    among: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """One table.

    key: columns that name a row; empty when rows have no name of their own.
    group: columns whose rows are replaced together when newer data arrive (the key, where there is one); an order's
        purchases are one group, and what came back of it is another.
    either: columns of which at least one must be known.
    version: the column of the instant at which a row was read at the retailer's; older reads never replace newer ones.
    time: the column of the instant at which a row came to be, of which `day` is the mall day; None for things.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    time: str | None = None
    either: tuple[str, ...] = ()
    version: str | None = None

    @property
    def derived(self) -> tuple[Column, ...]:
        """Columns that ingestion computes from `time` in the mall's time zone."""
        if self.time is None:
            return ()
        return (DAY, HOUR, WEEKDAY) if self.name == "orders" else (DAY,)

    @property
    def stored(self) -> tuple[Column, ...]:
        """All columns of the stored file, in its order."""
        return self.columns + self.derived

    def column(self, name: str) -> Column:
        """Return the column of that name; `KeyError` when there is none."""
        return {column.name: column for column in self.stored}[name]


DAY = Column("day", WHOLE, "days from 1970-01-01 to the mall day")
HOUR = Column("hour", WHOLE, "hour of the mall day, 0-23")
WEEKDAY = Column("weekday", WHOLE, "day of the mall week, 0 = Monday")

ORDERS = Table(
    "orders",
    "an order line",
    (
        Column("order_id", TEXT, "the order; one member's lines of it come together", required=True),
        Column("member_id", TEXT, "who bought", required=True),
        Column("product_id", TEXT, "what", required=True),
        Column("ordered_at", TIME, "when", required=True),
        Column("quantity", NUMBER, "pieces or weight", required=True, above=0),
        Column("amount", NUMBER, "money paid for the line", required=True, least=0),
        Column("discount", NUMBER, "money taken off the line", default="0.0", least=0),
        Column("coupon_id", TEXT, "coupon used; null = none or unknown"),
        Column("channel", TEXT, "where it was ordered, such as app or store"),
        Column("store_id", TEXT, "the store"),
        Column("is_return", FLAG, "goods came back: amount was paid out", default="false"),
    ),
    group=("order_id", "member_id", "is_return"),
    time="ordered_at",
)

MEMBERS = Table(
    "members",
    "a member",
    (
        Column("member_id", TEXT, "the member", required=True),
        Column("registered_at", TIME, "when the member joined"),
        Column("birth_date", DATE, "the member's birthday"),
        Column("child_birth_date", DATE, "birthday of the youngest child; null = none or unknown"),
        Column("gender", TEXT, "as the retailer writes it"),
        Column("city", TEXT, "home city"),
        Column("source_channel", TEXT, "how the member was won"),
        Column("tier", TEXT, "level in the loyalty scheme at updated_at"),
        Column("points_balance", NUMBER, "points at updated_at"),
        Column("consent_personalised", FLAG, "agrees to personal answers", default="true"),
        Column("updated_at", TIME, "when tier and points were read"),
        Column("attributes", TEXT_MAP, "anything else, by name"),
    ),
    key=("member_id",),
    group=("member_id",),
    version="updated_at",
)

PRODUCTS = Table(
    "products",
    "a product",
    (
        Column("product_id", TEXT, "the product", required=True),
        Column("name", TEXT, "as shown"),
        Column("category", TEXT, "what kind of thing; null counts as 'unknown'"),
        Column("subcategory", TEXT, "finer kind"),
        Column("brand", TEXT, "brand or maker"),
        Column("price", NUMBER, "list price of one piece", least=0),
        Column("package_size", TEXT, "as shown"),
        Column("launched_at", TIME, "first day of sale; null = before the data begin"),
        Column("delisted_at", TIME, "last day of sale; null = still sold"),
        Column("stock", NUMBER, "pieces at hand now", least=0),
        Column("is_consumable", FLAG, "is used up and bought again"),
        Column("attributes", TEXT_MAP, "anything else, by name"),
    ),
    key=("product_id",),
    group=("product_id",),
)

EVENTS = Table(
    "events",
    "something a member did",
    (
        Column("event_id", TEXT, "the event", required=True),
        Column("member_id", TEXT, "who; null = not signed in"),
        Column("anonymous_id", TEXT, "the browser or device"),
        Column("type", TEXT, "what was done", required=True, among=EVENT_TYPES),
        Column("product_id", TEXT, "with which product; null = none"),
        Column("query", TEXT, "what was searched; null = nothing"),
        Column("placement", TEXT, "where in the mall"),
        Column("occurred_at", TIME, "when", required=True),
    ),
    key=("event_id",),
    group=("event_id",),
    time="occurred_at",
    either=("member_id", "anonymous_id"),
)

CAMPAIGNS = Table(
    "campaigns",
    "a campaign",
    (
        Column("campaign_id", TEXT, "the campaign", required=True),
        Column("name", TEXT, "as shown"),
        Column("kind", TEXT, "what sort"),
        Column("starts_at", TIME, "first instant"),
        Column("ends_at", TIME, "first instant after it"),
    ),
    key=("campaign_id",),
    group=("campaign_id",),
)

CONTACTS = Table(
    "contacts",
    "a member contacted, or held out on purpose, in a campaign",
    (
        Column("campaign_id", TEXT, "the campaign", required=True),
        Column("member_id", TEXT, "who", required=True),
        Column("arm", TEXT, "which part of the experiment"),
        Column("channel", TEXT, "how"),
        Column("content_format", TEXT, "with what"),
        Column("sent_at", TIME, "when", required=True),
    ),
    key=("campaign_id", "member_id", "sent_at"),
    group=("campaign_id", "member_id", "sent_at"),
    time="sent_at",
)

COUPONS = Table(
    "coupons",
    "a product that a coupon counts for",
    (
        Column("coupon_id", TEXT, "the coupon", required=True),
        Column("campaign_id", TEXT, "the campaign that gave it"),
        Column("product_id", TEXT, "the product; null = any"),
        Column("face_value", NUMBER, "money taken off", least=0),
        Column("threshold", NUMBER, "money to spend first", least=0),
        Column("starts_at", TIME, "first instant"),
        Column("ends_at", TIME, "first instant after it"),
    ),
    key=("coupon_id", "campaign_id", "product_id"),
    group=("coupon_id", "campaign_id"),
)

REDEMPTIONS = Table(
    "redemptions",
    "a coupon used",
    (
        Column("coupon_id", TEXT, "the coupon", required=True),
        Column("member_id", TEXT, "who", required=True),
        Column("campaign_id", TEXT, "the campaign that gave it"),
        Column("order_id", TEXT, "in which order"),
        Column("redeemed_at", TIME, "when", required=True),
    ),
    key=("coupon_id", "member_id", "campaign_id", "order_id", "redeemed_at"),
    group=("coupon_id", "member_id", "campaign_id", "order_id", "redeemed_at"),
    time="redeemed_at",
)

SCHEMA: dict[str, Table] = {
    table.name: table for table in (ORDERS, MEMBERS, PRODUCTS, EVENTS, CAMPAIGNS, CONTACTS, COUPONS, REDEMPTIONS)
}

LIFE_STAGES = Table(
    "life_stages",
    "a span of a child's age in which a category is needed; it comes from the settings, not from the source",
    (
        Column("category", TEXT, "the category", required=True),
        Column("from_month", WHOLE, "calendar months after birth at which the need begins", required=True, least=0),
        Column("to_month", WHOLE, "calendar months after birth at which it has ended", required=True, above=0),
        Column("next_category", TEXT, "the category that takes its place; null = none"),
    ),
    key=("category", "from_month"),
    group=("category",),
)

STORED: dict[str, Table] = {**SCHEMA, LIFE_STAGES.name: LIFE_STAGES}
"""Every table that is kept: what the source brings and what the settings say."""
