"""Reads rules from JSON; what is wrong is told with the node that it stands in, such as `rule.all.1.days`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from recsys.answers.audience.rule import (
    CONTACT_KEYS,
    GOODS_KEYS,
    VISIT,
    AllOf,
    AnyOf,
    Bought,
    Contacted,
    Did,
    Goods,
    NotOf,
    Rule,
    Score,
    Segmented,
    Tagged,
)
from recsys.artifacts.publication_content import FACT_DAYS
from recsys.core.errors import RequestError
from recsys.data.schema import EVENT_TYPES

MAX_DEPTH = 12
MAX_NODES = 200
MAX_NAMES = 1000
MAX_TEXT = 256

WITHIN = (7, 14, 28)
TAKES: Mapping[str, tuple[str, ...]] = {
    "churn": (),
    "active": (),
    "value": (),
    "repurchase": ("category", "within"),
    "new_product": ("product_id",),
    "discovery": ("category", "product_id"),
    "recommend": ("product_id",),
}
"""What each score is told besides its bounds."""

NEEDS: Mapping[str, str] = {"new_product": "product_id", "recommend": "product_id"}
"""What a score cannot do without."""


def parse_rule(data: object, at: str = "rule") -> Rule:
    """Read a rule; `RequestError` names the node and what it must be.

    at: how the rule itself is called in errors.
    """
    return _Reader().rule(data, at, depth=1)


def parse_score(data: object, at: str) -> Score:
    """Read a score alone, such as `{"score": "churn"}`; errors as of `parse_rule`."""
    node = Node.of(data, at)
    if "score" not in node.data:
        raise RequestError(f"{at}.score", "is needed")
    return _score(node)


@dataclass(frozen=True)
class Node:
    """One object of a JSON form and how it is called in errors."""

    data: Mapping[str, Any]
    at: str

    @classmethod
    def of(cls, data: object, at: str) -> Self:
        """Take an object; at: how it is called, "" = it is the whole request."""
        if not isinstance(data, Mapping):
            raise RequestError(at or "body", "must be an object")
        for key in data:
            if not isinstance(key, str):
                raise RequestError(at or "body", "must have texts for keys")
        return cls(data, at)

    def path(self, key: str) -> str:
        """Return how the value of a key is called."""
        return f"{self.at}.{key}" if self.at else key

    def refuse(self, key: str, rule: str) -> RequestError:
        """Return the error that says what the value of a key must be."""
        return RequestError(self.path(key), rule)

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self.data:
            if key not in keys:
                raise self.refuse(key[:MAX_TEXT], f"is none of {', '.join(keys)}")

    def text(self, key: str) -> str:
        """Read a text."""
        return _text(self.data.get(key), self.path(key))

    def texts(self, key: str, *, least: int = 1) -> tuple[str, ...]:
        """Read a list of texts, or one text; () when it is not given."""
        value = self.data.get(key)
        if value is None:
            return ()
        if isinstance(value, str):
            return (_text(value, self.path(key)),)
        if not isinstance(value, (list, tuple)):
            raise self.refuse(key, "must be a list of texts")
        if not least <= len(value) <= MAX_NAMES:
            raise self.refuse(key, f"must have {least} to {MAX_NAMES} entries")
        return tuple(dict.fromkeys(_text(one, f"{self.path(key)}.{place}") for place, one in enumerate(value)))

    def number(self, key: str) -> float | None:
        """Read a number, None when it is not given."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refuse(key, "must be a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.refuse(key, "must be a finite number")
        return number

    def whole(self, key: str, *, low: int, high: int) -> int | None:
        """Read a whole number in [low, high], None when it is not given."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refuse(key, f"must be a whole number from {low} to {high}")
        return value

    def flag(self, key: str) -> bool:
        """Read a flag, False when it is not given."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(key, "must be true or false")
        return value


class _Reader:
    """Counts the nodes of one rule as it reads them."""

    def __init__(self) -> None:
        self.nodes = 0

    def rule(self, data: object, at: str, *, depth: int) -> Rule:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise RequestError(at, f"is one node too many; a rule has at most {MAX_NODES}")
        if depth > MAX_DEPTH:
            raise RequestError(at, f"lies too deep; a rule is at most {MAX_DEPTH} deep")
        node = Node.of(data, at)
        kinds = [kind for kind in ("all", "any", "not", *_LEAVES) if kind in node.data]
        if len(kinds) != 1:
            said = f"has {' and '.join(kinds)}; give one" if kinds else "is no rule: it needs one"
            raise RequestError(at, f"{said} of all, any, not, {', '.join(_LEAVES)}")
        kind = kinds[0]
        if kind in _LEAVES:
            return _LEAVES[kind](node)
        node.only(kind)
        if kind == "not":
            return NotOf(self.rule(node.data["not"], f"{at}.not", depth=depth + 1))
        rules = node.data[kind]
        if not isinstance(rules, (list, tuple)):
            raise node.refuse(kind, "must be a list of rules")
        read = tuple(self.rule(one, f"{at}.{kind}.{place}", depth=depth + 1) for place, one in enumerate(rules))
        return AllOf(read) if kind == "all" else AnyOf(read)


def _text(value: object, at: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise RequestError(at, f"must be a text of 1 to {MAX_TEXT} characters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise RequestError(at, "is no valid text")
    return value


def _tag(node: Node) -> Rule:
    node.only("tag", "is", "min", "max", "unknown")
    values, low, high = node.texts("is"), node.number("min"), node.number("max")
    if values and (low is not None or high is not None):
        raise node.refuse("is", "comes with min or max; give one of them")
    _ascending(node, low, high)
    return Tagged(node.text("tag"), values, low, high, node.flag("unknown"))


def _segment(node: Node) -> Rule:
    node.only("segment", "is", "unknown")
    values, unknown = node.texts("is"), node.flag("unknown")
    if not values and not unknown:
        raise node.refuse("is", "is needed: the parts that are taken")
    return Segmented(node.text("segment"), values, unknown)


def _bought(node: Node) -> Rule:
    node.only("bought", "days", "min", "max")
    return Bought(_goods(node.data["bought"], f"{node.at}.bought"), *_window(node))


def _did(node: Node) -> Rule:
    node.only("event", "of", "days", "min", "max")
    event = node.text("event")
    if event != VISIT and event not in EVENT_TYPES:
        raise node.refuse("event", f"is none of {', '.join((VISIT, *EVENT_TYPES))}")
    return Did(event, _goods(node.data.get("of", {}), f"{node.at}.of"), *_window(node))


def _score(node: Node) -> Score:
    task = node.text("score")
    if task not in TAKES:
        raise node.refuse("score", f"is none of {', '.join(TAKES)}")
    node.only("score", *TAKES[task], "min", "max", "top_share")
    low, high, share = node.number("min"), node.number("max"), node.number("top_share")
    _ascending(node, low, high)
    if share is not None and not 0 < share <= 1:
        raise node.refuse("top_share", "must be above 0 and at most 1")
    if share is not None and (low is not None or high is not None):
        raise node.refuse("top_share", "comes with min or max; give one of them")
    within = node.whole("within", low=1, high=365)
    if within is not None and within not in WITHIN:
        raise node.refuse("within", f"is none of {', '.join(map(str, WITHIN))}")
    if NEEDS.get(task) is not None and node.data.get(NEEDS[task]) is None:
        raise node.refuse(NEEDS[task], f"is needed for {task}")
    product = None if node.data.get("product_id") is None else node.text("product_id")
    if task == "repurchase" and within is None:
        within = 14
    return Score(task, node.texts("category"), product, within, low, high, share)


def _contacted(node: Node) -> Rule:
    node.only("contacted", "days", "min", "max")
    inner = Node.of(node.data["contacted"], f"{node.at}.contacted")
    inner.only(*CONTACT_KEYS)
    names = {field: inner.texts(key) for key, field in CONTACT_KEYS.items()}
    return Contacted(names["channels"], names["campaigns"], names["formats"], *_window(node))


def _goods(data: object, at: str) -> Goods:
    node = Node.of(data, at)
    node.only(*GOODS_KEYS)
    return Goods(*(node.texts(key) for key in GOODS_KEYS))


def _window(node: Node) -> tuple[int, int, int | None]:
    """Read days, least and most; with only a most, nought is enough."""
    days = node.whole("days", low=1, high=FACT_DAYS)
    if days is None:
        raise node.refuse("days", f"is needed: 1 to {FACT_DAYS}")
    most = node.whole("max", low=0, high=1_000_000)
    least = node.whole("min", low=0, high=1_000_000)
    if least is None:
        least = 1 if most is None else 0
    if most is not None and most < least:
        raise node.refuse("max", "is below min")
    return days, least, most


def _ascending(node: Node, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and high <= low:
        raise node.refuse("max", "must be above min")


_LEAVES: Mapping[str, Callable[[Node], Rule]] = {
    "tag": _tag,
    "segment": _segment,
    "bought": _bought,
    "event": _did,
    "score": _score,
    "contacted": _contacted,
}
