"""What answers look like: plain frozen data, written to JSON as it stands; the docstrings are the API's own words."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import ConfigDict

from recsys.answers.risk import Band
from recsys.artifacts.publication_content import ChurnReason, Reason, Tag

DESCRIBED = ConfigDict(use_attribute_docstrings=True)

Scalar = str | int | float | None


class Source(StrEnum):
    """Where an item came from."""

    __hash__ = str.__hash__  # that of enums is many times as slow

    LIVE = "live"
    PERSONAL = "personal"
    DISCOVERY = "discovery"
    NEW = "new"
    TOGETHER = "together"
    SIMILAR = "similar"
    DECLARED = "declared"
    POPULAR_IN_CATEGORY = "popular_in_category"
    POPULAR = "popular"
    PINNED = "pinned"


class Standing(StrEnum):
    """What is known of the one who asks; only `known` is answered from a history."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    ANONYMOUS = "anonymous"
    OPTED_OUT = "opted_out"
    NOT_PERSONALISED = "not_personalised"


class Route(StrEnum):
    """How an answer was reached: the first of these that gave an item.

    hot: what was done lately. warm: the member's published lists. context: products of the request. declared:
    categories or answers of the request or the member. cold: what is popular.
    """

    HOT = "hot"
    WARM = "warm"
    CONTEXT = "context"
    DECLARED = "declared"
    COLD = "cold"


class Rule(StrEnum):
    """What placed a product of a ranked list; an earlier rule goes before a later one."""

    PUBLISHED = "published"
    FACTORS = "factors"
    POPULARITY = "popularity"


@dataclass(frozen=True, slots=True)
class Why:
    """The reason for an item: a code to act on, its parameters, and words to show."""

    __pydantic_config__ = DESCRIBED
    code: Reason
    """What speaks for the item."""
    params: dict[str, Scalar]
    """The evidence that the words tell, by name; days are days before as_of."""
    zh: str
    """Chinese text."""
    en: str
    """English text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A product in an answer."""

    __pydantic_config__ = DESCRIBED
    product_id: str
    """The product."""
    name: str | None
    """Its name; null = unknown."""
    category: str
    """Its category, `unknown` when there is none."""
    subcategory: str | None
    """Its subcategory; null = unknown."""
    brand: str | None
    """Its brand; null = unknown."""
    price: float | None
    """Its price in the shop's currency; null = unknown."""
    score: float
    """Higher is better, comparable within one source: the ranker's score, the probability to discover or to buy a new
    product, the strength of a neighbour or of what was done lately, the members who bought it in the last 28 days; 0
    for what is pinned."""
    source: Source
    """Where it came from; of several sources the one that weighed most."""
    reason: Why
    """Why it is here."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """A step that was taken because the steps before it did not fill the answer."""

    __pydantic_config__ = DESCRIBED
    step: str
    """The source used in its stead, or the limit that was lifted."""
    reason: str
    """Why."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Items for one visit of a placement."""

    __pydantic_config__ = DESCRIBED
    recommendation_id: str
    """Send it back with impressions, clicks and purchases."""
    placement: str
    """The placement asked for."""
    variant: str
    """The variant of the placement's policy that answered; `control` = the placement as it stands."""
    member_id: str | None
    """The member asked for."""
    standing: Standing
    """What is known of the member."""
    route: Route
    """How the answer was reached."""
    fallbacks: tuple[Fallback, ...]
    """Steps taken beyond the placement's own sources, in order."""
    items: tuple[Item, ...]
    """At most k products, best first."""
    ignored_products: tuple[str, ...]
    """Products of the request that are not known."""
    ignored_categories: tuple[str, ...]
    """Categories of the filters that are not known; no item can be of them."""
    ignored_brands: tuple[str, ...]
    """Brands of the filters that are not known; no item can be of them."""
    ignored_answers: tuple[str, ...]
    """Questions, answers and preferred categories that are not known."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""
    model_version: str | None
    """Version of the ranking model; null = none was published."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A product of the caller's list, placed."""

    __pydantic_config__ = DESCRIBED
    product_id: str
    """The product."""
    rank: int
    """1 = first."""
    score: float | None
    """Comparable within one rule only; null = nothing is known."""
    rule: Rule
    """What placed it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The caller's list in the member's order."""

    __pydantic_config__ = DESCRIBED
    member_id: str | None
    """The member asked for."""
    standing: Standing
    """What is known of the member."""
    items: tuple[Ranked, ...]
    """Every product once: those of the member's published list first, then by factors, then by popularity."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""
    model_version: str | None
    """Version of the ranking model; null = none was published."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Products that belong with one product."""

    __pydantic_config__ = DESCRIBED
    product_id: str
    """The product asked for."""
    items: tuple[Item, ...]
    """At most k products, nearest first."""
    fallbacks: tuple[Fallback, ...]
    """Steps taken when the product has too few neighbours."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""


@dataclass(frozen=True, slots=True)
class ChurnWhy:
    """A part of the reasons for a churn score."""

    __pydantic_config__ = DESCRIBED
    code: ChurnReason
    """What it is about."""
    params: dict[str, Scalar]
    """The member's own values, by feature name; null = unknown."""
    zh: str
    """Chinese text."""
    en: str
    """English text."""
    share: float
    """Its share, in (0, 1], of all that moves the score the way it was moved, up or down."""


@dataclass(frozen=True, slots=True)
class Churn:
    """How likely the member is to leave."""

    __pydantic_config__ = DESCRIBED
    score: float
    """Probability of no purchase within the model's horizon."""
    rank: float
    """Share of scored members with a lower score."""
    base: float
    """Mean score of all scored members: how many of a hundred leave, as expected, over 100."""
    band: Band
    """`high`: at least three times the odds of the average; `medium`: at or above the average; `low`: below it."""
    why: tuple[ChurnWhy, ...]
    """What lifts the score above the average, or lowers it below: the largest such parts, largest first."""
    days: int
    """So many days ahead, from as_of on."""
    model_version: str | None
    """Version of the model."""


@dataclass(frozen=True, slots=True)
class Value:
    """What the member is expected to be worth."""

    __pydantic_config__ = DESCRIBED
    purchases: float
    """Expected days with a purchase."""
    money: float
    """Expected money paid, in the shop's currency."""
    margin: float
    """What is expected to be left of it, by the shop's margin shares; may be below 0."""
    days: int
    """So many days ahead, from as_of on."""
    model_version: str | None
    """Version of the model."""


@dataclass(frozen=True, slots=True)
class NextPurchase:
    """When the member is expected to buy in a category again."""

    __pydantic_config__ = DESCRIBED
    category: str
    """The category."""
    p7: float
    """Probability of a purchase within 7 days."""
    p14: float
    """Probability of a purchase within 14 days."""
    p28: float
    """Probability of a purchase within 28 days."""
    median_day: str | None
    """The day by which a purchase is as likely as not, at most a year ahead; null = the need has ended."""
    low_day: str | None
    """First day of the 80% interval; null = the need has ended."""
    high_day: str | None
    """Last day of the 80% interval, at most a year ahead; null = the need has ended."""
    need_ends: str | None
    """The first day on which the member's child has outgrown the category, maybe past; null = none is known."""
    next_category: str | None
    """The category that takes its place then; null = none."""


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A launch that fits the member."""

    __pydantic_config__ = DESCRIBED
    product_id: str
    """The product."""
    name: str | None
    """Its name."""
    category: str
    """Its category."""
    score: float
    """Probability of buying it within the model's horizon."""


@dataclass(frozen=True, slots=True)
class Notable:
    """A feature in which the member stands out."""

    __pydantic_config__ = DESCRIBED
    name: str
    """The feature's name in the catalogue."""
    value: float
    """The member's value."""
    rank: float
    """Share of members with a lower value, half of those with the same one counted in."""


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The member's features, and how fresh they are."""

    __pydantic_config__ = DESCRIBED
    source: str
    """`online` = the store that is materialised between publications; `published` = as of the publication."""
    timestamp: str | None
    """The instant the values are of, in UTC; null = the member has no row."""
    note: str | None
    """Why the published values stand in for the online ones; null = they do not."""
    values: dict[str, Scalar]
    """Values by feature name; null = unknown."""


@dataclass(frozen=True, slots=True)
class MemberTag:
    """What operations call such a member."""

    __pydantic_config__ = DESCRIBED
    code: Tag
    """The tag to act on."""
    zh: str
    """Chinese text."""
    en: str
    """English text."""


@dataclass(frozen=True, slots=True)
class MemberCard:
    """Everything that is predicted about one member."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    standing: Standing
    """Opted-out members have nothing below."""
    tags: tuple[MemberTag, ...]
    """What operations call such a member."""
    churn: Churn | None
    """Null = not scored, as the member was not active lately."""
    value: Value | None
    """Null = not scored, as the member bought nothing for a year or no model was published."""
    next_purchases: tuple[NextPurchase, ...]
    """Categories the member buys, the most likely next one first; those whose need has ended come last."""
    new_products: tuple[NewProduct, ...]
    """Launches, the best fit first."""
    notable: tuple[Notable, ...]
    """Where the member stands out among members, furthest first."""
    features: FeatureRow | None
    """All features; null for opted-out members."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""
