"""What a Publication is made from: plain tables, one a kind of answer, which `write_publication` seals."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recsys.core.time import AsOf

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from recsys.artifacts.publication_source import Table
    from recsys.artifacts.tagging.write import Tagged


BOUGHT_DAYS = 180
"""So many days back a publication knows what members bought of products that do not run out."""

FACT_DAYS = 400
"""So many days back a publication knows each purchase, event and contact."""

UNKNOWN_CATEGORY = "unknown"
"""What stands for the category of a product that has none."""


class Reason(StrEnum):
    """Why an item stands in an answer; `answers/reasons.py` has the words."""

    DUE = "due"
    """Bought on at least two days before and about due again."""
    AGAIN = "again"
    """Bought before, not known to be due."""
    IN_CATEGORY = "in_category"
    """Never bought, but its category was."""
    FOR_YOU = "for_you"
    """Never bought; goes with what the member buys, or members with a like history buy it."""
    NEW = "new"
    """Launched around as_of."""
    NEW_IN_CATEGORY = "new_in_category"
    """Launched around as_of, in a category that the member buys."""
    GOES_WITH = "goes_with"
    """Bought together with a product of the request."""
    GOES_WITH_CART = "goes_with_cart"
    """Bought together with a product in the cart."""
    SIMILAR = "similar"
    """Like a product of the request."""
    VIEWED = "viewed"
    """Viewed lately and not bought since."""
    LIKE_VIEWED = "like_viewed"
    """Belongs with a product viewed lately."""
    FAVOURITE = "favourite"
    """Among the favourites lately and not bought since."""
    LIKE_FAVOURITE = "like_favourite"
    """Belongs with a product that lately became a favourite."""
    DECLARED = "declared"
    """Of a category that the visitor asked for or that an answer of theirs stands for."""
    PINNED = "pinned"
    """The shop put it there."""
    POPULAR = "popular"
    """Bought by many members lately."""
    POPULAR_IN_CATEGORY = "popular_in_category"
    """Bought by many members lately, within the category asked for."""
    ASSORTMENT = "assortment"
    """Can be bought; nothing more speaks for it."""


class Tag(StrEnum):
    """What operations call a member; `tagging/standing.py` has the words, the publisher the rules."""

    HIGH_CHURN_RISK = "high_churn_risk"
    """In the band of high risk of leaving."""
    LAPSED = "lapsed"
    """Bought once, but not for long."""
    DUE_THIS_WEEK = "due_this_week"
    """Likely to buy again in some category within 7 days."""
    NEWCOMER = "newcomer"
    """Bought for the first time lately."""
    REGULAR = "regular"
    """Buys in most weeks."""
    HIGH_VALUE = "high_value"
    """Among those who paid most in the last year."""
    LAUNCH_FAN = "launch_fan"
    """Buys launches."""
    COUPON_USER = "coupon_user"
    """Buys mostly with coupons."""


class ChurnReason(StrEnum):
    """What moves a churn score; `answers/churn_reasons.py` has the words, `training/why.py` the features of each."""

    RECENCY = "recency"
    """How long ago the last purchase was, against the usual gap."""
    FREQUENCY = "frequency"
    """How often and how regularly the member buys."""
    TREND = "trend"
    """Whether the member buys more or less than before."""
    TENURE = "tenure"
    """How long the member has been one."""
    SPEND = "spend"
    """How much the member pays."""
    BREADTH = "breadth"
    """How widely the member buys."""
    NOVELTY = "novelty"
    """How much of it is new to the member."""
    PROMOTION = "promotion"
    """How much is bought on discounts and coupons."""
    CONTACT = "contact"
    """Campaigns that reached the member."""
    VISIT = "visit"
    """Views, searches, carts and the like."""
    HABIT = "habit"
    """When, where and through which channel the member buys."""
    RETURNS = "returns"
    """Goods brought back."""
    PROFILE = "profile"
    """Who the member is, tier and points."""
    OTHER = "other"
    """Features that no other code speaks of."""


CHURN_REASONS = 3
"""So many reasons of a churn score are told."""


class NeighbourKind(StrEnum):
    """How two products belong together."""

    SIMILAR = "similar"
    TOGETHER = "together"


@dataclass(frozen=True)
class Factors:
    """Matrix factors of members and products; their dot product ranks products for a member.

    member_ids, product_ids: (n,), (m,) text, unique.
    member_factors, product_factors: (n, f), (m, f) numbers.
    """

    member_ids: "np.ndarray"
    product_ids: "np.ndarray"
    member_factors: "np.ndarray"
    product_factors: "np.ndarray"


@dataclass(frozen=True)
class Challenger:
    """The lists of a second model of the task recommend, for placements that try it on a part of the members.

    version: of the model. recommend, discovery: as the frames of these names of a `Content`, and cut alike.
    """

    version: str
    recommend: "Table"
    discovery: "Table"


@dataclass(frozen=True)
class Content:
    """Everything that one publication answers from, as known before `as_of`.

    tables_digest: digest of the tables it was computed from.
    model_versions: task name -> version of the model that scored it; a task without a model is absent.
    horizons: task name -> days from as_of that its scores look ahead; of the same tasks.
    members: one row a member who may be personalised. `member_id`, text, unique; `tags`, a list of `Tag` values
        (optional column, None = no tags); `attributes`, a mapping of texts, as the mall declares them of the member
        (optional column, None = none); every other column is a feature: numbers (NaN = unknown) or text (None =
        unknown).
    products: one row a product that an answer may name, launches too. `product_id`, text, unique; `name`, `category`,
        `subcategory`, `brand` text (None = unknown; category 'unknown' instead of None); `price`, `stock` numbers (NaN
        = unknown, an unknown stock counts as there); `price_level`, its price over the mean price of its category (NaN
        = unknown); `consumable`, 1 = used up and bought again, 0 = not (NaN = unknown); `launched_day`, `delisted_day`
        mall-day numbers (NaN = always there, never delisted); `buyers_28`, `buyers_90` distinct buying members in the
        last 28 and 90 days; `popularity`, 1 = the most popular, unique (rank of an unsold product: after all others).
    price_bands: `member_id, low, high`: the price levels between which four in five of the member's purchases lie;
        members with too few purchases to tell are left out.
    recommend: `member_id, product_id, score` (higher is better, any scale), `reason` (a `Reason` value), and the
        evidence `purchase_days` (0 = never bought), `days_since` the last purchase and `mean_gap` in days (NaN = none).
        Rows in any order; a pair at most once. Members' lists are cut by the writer's `keep`.
    discovery: `member_id, product_id, score` (probability of a first purchase within the horizon), `reason`: what the
        member never bought. Cut by the writer's `keep_discoveries`.
    bought: `member_id, product_id, days_since` the last purchase: what members bought within `BOUGHT_DAYS` days before
        as_of of products that do not run out. A pair at most once; never cut.
    repurchase: `member_id, category, score, p7, p14, p28` probabilities, `median_days, low_days, high_days` whole days
        from as_of to the next purchase day (low..high holds 80%), `need_ends_day`, the number of the first mall day on
        which the member's child has outgrown the category (NaN = it never does, or nothing is known), and
        `next_category`, which takes its place then (None = none).
    churn: `member_id, score`, the probability of no purchase within the horizon; optional columns `why`, a list of up
        to `CHURN_REASONS` `ChurnReason` values, and `why_share`, a list of as many weights in (0, 1], largest first.
    value: `member_id, score, purchases, margin`: money, purchase days and margin expected within the horizon.
    new_product: `member_id, product_id, score`, the probability of buying within the horizon; not cut by the writer.
    launches: of products that were scored for more members than `new_product` has: `product_id`, `scored`, how many
        members, and `floor`, the score from which on all of them are there; None = there are no such products.
    neighbours: `product_id, neighbour_id, score, kind` (a `NeighbourKind` value), `rank`, 1 = the nearest.
    purchases: `day, member_id, product_id`, `quantity`, `amount` money, `hour` of the mall day: what was bought in the
        `FACT_DAYS` days before as_of, one row a day, member and product; what came back is not counted.
    events: `day, member_id, type, product_id` (None = none or unknown), `hour`: one row an event of the same days.
    contacts: `day, member_id, campaign_id, channel, content_format` (None = unknown): who was contacted in the same
        days; those held out are not there.
    factors: None when there are none.
    tagged: tags and segments beside features and standings; None = there are no others.
    challenger: None = no placement tries one.
    opted_out: members who refused personalisation. Nothing about them is published but the refusal: rows of theirs in
        the frames above are left out.

    Columns of `FINITE` are finite. A row that names a member or a product not in `members` or `products` is left out,
    and the manifest counts it.
    """

    as_of: AsOf
    tables_digest: str
    model_versions: Mapping[str, str]
    horizons: Mapping[str, int]
    members: "Table"
    products: "pd.DataFrame"
    price_bands: "Table"
    recommend: "Table"
    discovery: "Table"
    bought: "Table"
    repurchase: "Table"
    churn: "Table"
    value: "Table"
    new_product: "Table"
    neighbours: "pd.DataFrame"
    purchases: "Table"
    events: "Table"
    contacts: "Table"
    factors: Factors | None
    opted_out: tuple[str, ...]
    tagged: "Tagged | None" = None
    challenger: Challenger | None = None
    launches: "pd.DataFrame | None" = None

    @property
    def frames(self) -> "dict[str, Table]":
        """Its tables by name; those of `CHALLENGER` only where there is one."""
        own: dict[str, Table] = {name: getattr(self, name) for name in COLUMNS if name not in CHALLENGER}
        tried = self.challenger
        return own if tried is None else own | dict(zip(CHALLENGER, (tried.recommend, tried.discovery), strict=True))


CHALLENGER = ("challenger", "challenger_discovery")
"""What the challenger's recommendations and discoveries are called beside the champion's."""

_RECOMMEND = ("member_id", "product_id", "score", "reason", "purchase_days", "days_since", "mean_gap")
_DISCOVERY = ("member_id", "product_id", "score", "reason")

COLUMNS: dict[str, tuple[str, ...]] = {
    "members": ("member_id",),
    "products": (
        "product_id",
        "name",
        "category",
        "subcategory",
        "brand",
        "price",
        "price_level",
        "stock",
        "consumable",
        "launched_day",
        "delisted_day",
        "buyers_28",
        "buyers_90",
        "popularity",
    ),
    "recommend": _RECOMMEND,
    "challenger": _RECOMMEND,
    "price_bands": ("member_id", "low", "high"),
    "discovery": _DISCOVERY,
    "challenger_discovery": _DISCOVERY,
    "bought": ("member_id", "product_id", "days_since"),
    "repurchase": (
        "member_id",
        "category",
        "score",
        "p7",
        "p14",
        "p28",
        "median_days",
        "low_days",
        "high_days",
        "need_ends_day",
        "next_category",
    ),
    "churn": ("member_id", "score"),
    "value": ("member_id", "score", "purchases", "margin"),
    "new_product": ("member_id", "product_id", "score"),
    "neighbours": ("product_id", "neighbour_id", "score", "kind", "rank"),
    "purchases": ("day", "member_id", "product_id", "quantity", "amount", "hour"),
    "events": ("day", "member_id", "type", "product_id", "hour"),
    "contacts": ("day", "member_id", "campaign_id", "channel", "content_format"),
}
"""The columns each frame of a Content must have; order and further columns do not matter, but in `members`."""

FINITE: dict[str, tuple[str, ...]] = {
    "products": ("buyers_28", "buyers_90", "popularity"),
    "price_bands": ("low", "high"),
    **dict.fromkeys(("recommend", "discovery", *CHALLENGER), ("score",)),
    "bought": ("days_since",),
    "repurchase": ("score", "p7", "p14", "p28"),
    "churn": ("score",),
    "value": ("score", "purchases", "margin"),
    "new_product": ("score",),
    "neighbours": ("score", "rank"),
    "purchases": ("day", "quantity", "amount", "hour"),
    "events": ("day", "hour"),
    "contacts": ("day",),
}
"""The columns that must be finite in every row."""
