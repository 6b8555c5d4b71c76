"""Which members an audience takes: a small typed tree, and its JSON form."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Members whom every rule takes; without rules, everybody."""

    rules: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Members whom at least one rule takes; without rules, nobody."""

    rules: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class NotOf:
    """Members whom the rule does not take, those of whom it knows nothing too."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Tagged:
    """Members by a tag.

    values: of a text, any of these; empty = not asked. low, high: of a number, low <= x < high; None = no limit. Of a
    flag neither is given: it must be set. Of a text or number without any of these, it must be known.
    unknown: whether members of whom the tag is unknown are taken too.
    """

    tag: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Segmented:
    """Members whom a segmentation puts in one of these parts; unknown: those it puts in none are taken too."""

    segment: str
    values: tuple[str, ...]
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Goods:
    """Products: of any of the names of each kind that is given; with nothing given, all of them."""

    categories: tuple[str, ...] = ()
    subcategories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.categories or self.subcategories or self.brands or self.products)


@dataclass(frozen=True, slots=True)
class Bought:
    """Members by on how many of the last days they bought such goods: least <= n, and n <= most unless that is None."""

    goods: Goods
    days: int
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """Members by how many events of a type they left in the last days; bounds as in `Bought`.

    event: a type of event; `VISIT` counts days with any event instead.
    goods: events with such a product only; with nothing given, events without a product too.
    """

    event: str
    goods: Goods
    days: int
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Members by a prediction: low <= score < high, or those who stand highest.

    task: `churn`, `active` (1 - churn), `value` (money), `repurchase`, `new_product`, `discovery`, `recommend`.
    categories: of repurchase and discovery, the best of these; empty = of all. product_id: of new_product, discovery
    and recommend. within: days, of repurchase: 7, 14 or 28.
    top_share: so great a share of all who have the score, in (0, 1]. Whoever has no score is not taken.
    """

    task: str
    categories: tuple[str, ...] = ()
    product_id: str | None = None
    within: int | None = None
    low: float | None = None
    high: float | None = None
    top_share: float | None = None

    def bare(self) -> "Score":
        """Return it without its bounds."""
        return Score(self.task, self.categories, self.product_id, self.within)


@dataclass(frozen=True, slots=True)
class Contacted:
    """Members by how often they were contacted in the last days; bounds as in `Bought`; names empty = any."""

    channels: tuple[str, ...]
    campaigns: tuple[str, ...]
    formats: tuple[str, ...]
    days: int
    least: int = 1
    most: int | None = None


Leaf = Tagged | Segmented | Bought | Did | Score | Contacted
Rule = AllOf | AnyOf | NotOf | Leaf

EVERYBODY = AllOf(())

VISIT = "visit"
"""What stands in the place of an event's type for days with any event."""

GOODS_KEYS = {"category": "categories", "subcategory": "subcategories", "brand": "brands", "product": "products"}
"""JSON name of a kind of goods -> field of `Goods`."""

CONTACT_KEYS = {"channel": "channels", "campaign": "campaigns", "format": "formats"}
"""JSON name of what a contact was made with -> field of `Contacted`."""


def to_data(rule: Rule) -> dict[str, Any]:
    """Return a rule's JSON form, which `parse_rule` reads as an equal rule."""
    match rule:
        case AllOf(rules):
            return {"all": [to_data(one) for one in rules]}
        case AnyOf(rules):
            return {"any": [to_data(one) for one in rules]}
        case NotOf(inner):
            return {"not": to_data(inner)}
        case _:
            return _leaf(rule)


def _leaf(rule: Leaf) -> dict[str, Any]:
    match rule:
        case Tagged():
            asked = {"is": list(rule.values), "min": rule.low, "max": rule.high, "unknown": rule.unknown}
            return {"tag": rule.tag, **_given(**asked)}
        case Segmented():
            return {"segment": rule.segment, **_given(**{"is": list(rule.values)}, unknown=rule.unknown)}
        case Bought():
            return {"bought": goods_data(rule.goods), **_window(rule)}
        case Did():
            return {"event": rule.event, **_given(of=goods_data(rule.goods)), **_window(rule)}
        case Score():
            return _score(rule)
        case Contacted():
            names = {key: list(getattr(rule, field)) for key, field in CONTACT_KEYS.items()}
            return {"contacted": _given(**names), **_window(rule)}


def goods_data(goods: Goods) -> dict[str, list[str]]:
    """Return the JSON form of goods."""
    return _given(**{key: list(getattr(goods, field)) for key, field in GOODS_KEYS.items()})


def _score(rule: Score) -> dict[str, Any]:
    of = {"category": list(rule.categories), "product_id": rule.product_id, "within": rule.within}
    return {"score": rule.task, **_given(**of, min=rule.low, max=rule.high, top_share=rule.top_share)}


def _window(rule: Bought | Did | Contacted) -> dict[str, Any]:
    return {"days": rule.days, "min": rule.least, **_given(max=rule.most)}


def _given(**values: Any) -> dict[str, Any]:
    """Leave out what is not asked: None, False and empty lists; nought is asked."""
    return {name: value for name, value in values.items() if value is not None and value is not False and value != []}
