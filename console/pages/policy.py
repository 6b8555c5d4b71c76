"""A placement's policy in plain words."""

from collections.abc import Iterator, Mapping

from console.api import Record
from console.parts import Cell, box, facts, meter, table, text
from console.words import UNKNOWN, Words, percent


def policy(words: Words, told: Record, tags: Mapping[str, str]) -> None:
    """Show what fills a placement, its limits, and what is pinned, boosted or tried out. tags: what they are called."""
    with box("grid"):
        with box("down w6"):
            text("h3", words("policy.sources"))
            table(
                [words("policy.source"), words("policy.how"), ""],
                _sources(words, told["sources"]),
                test="policy-sources",
            )
            text("div", words("policy.fallback", _list(words, told["fallback"])), "small")
        with box("down w6"):
            text("h3", words("policy.limits"))
            facts(_limits(words, told))
    if told["pins"]:
        text("h3", words("policy.pins"))
        heads = [words(f"policy.{name}") for name in ("place", "product", "days", "whom")]
        pins = [(str(one["place"]), one["product"], *_for(words, one, tags)) for one in told["pins"]]
        table(heads, pins, test="policy-pins")
    if told["boosts"]:
        text("h3", words("policy.boosts"))
        heads = [words(f"policy.{name}") for name in ("factor", "what", "days", "whom")]
        boosts = [(f"× {one['factor']:g}", _what(one), *_for(words, one, tags)) for one in told["boosts"]]
        table(heads, boosts, test="policy-boosts")
    if told.get("variants"):
        text("h3", words("policy.variants"))
        rows = [(one["name"], percent(one["share"], 0), _changes(words, one["change"])) for one in told["variants"]]
        table([words("policy.variant"), words("policy.share"), words("policy.change")], rows, test="policy-variants")


def _sources(words: Words, sources: list[Record]) -> Iterator[tuple[Cell, ...]]:
    weights = [0.0 if one["share"] else 1.0 if one["weight"] is None else one["weight"] for one in sources]
    whole = sum(weights) or 1.0
    for one, weight in zip(sources, weights, strict=True):
        share = one["share"] if one["share"] else weight / whole
        told = words("policy.kept", percent(share, 0)) if one["share"] else words("policy.mixed", f"{weight:g}")

        def bar(share: float = share, told: str = told) -> None:
            meter(share, told)

        yield words.name("source", one["name"]), told, bar


def _limits(words: Words, told: Record) -> Iterator[tuple[str, str]]:
    caps, lists = told["caps"], (("categories", told["categories"]), ("brands", told["brands"]))
    yield words("policy.max_per_category"), _or(words, told["max_per_category"])
    yield words("policy.mmr"), UNKNOWN if told["mmr"] is None else f"{told['mmr']:g}"
    yield (
        words("policy.price_band"),
        words("policy.none") if told["price_band"] is None else percent(told["price_band"], 0),
    )
    yield words("policy.recent_days"), words("policy.n_days", told["recent_days"])
    yield words("policy.rest"), words("policy.rest_told", percent(told["due_share"], 0), told["rest_days"])
    yield words("policy.product_cap"), _or(words, caps["product_per_day"])
    yield words("policy.member_cap"), _or(words, caps["member_per_day"])
    for name, one in lists:
        if one["allow"]:
            yield words(f"policy.only_{name}"), ", ".join(one["allow"])
        if one["deny"]:
            yield words(f"policy.no_{name}"), ", ".join(one["deny"])


def _or(words: Words, limit: int | None) -> str:
    return words("policy.none") if limit is None else str(limit)


def _list(words: Words, names: list[str]) -> str:
    return " → ".join(words.name("source", name) for name in names)


def _for(words: Words, one: Record, tags: Mapping[str, str]) -> tuple[str, str]:
    """Say on which days and for whom something holds."""
    return _days(words, one), _whom(words, one, tags)


def _days(words: Words, one: Record) -> str:
    if one["first_day"] is None and one["last_day"] is None:
        return words("policy.always")
    return f"{one['first_day'] or '…'} – {one['last_day'] or '…'}"


def _whom(words: Words, one: Record, tags: Mapping[str, str]) -> str:
    every, some = ([tags.get(tag, tag) for tag in one["audience"][kind]] for kind in ("all", "any"))
    told = [*every, *([words("policy.any_of", " / ".join(some))] if some else [])]
    return ", ".join(told) or words("policy.everybody")


def _what(boost: Record) -> str:
    return ", ".join((*boost["products"], *boost["categories"], *boost["brands"]))


def _changes(words: Words, change: Record) -> str:
    return "; ".join(f"{words.name('policy', name)} = {_value(words, value)}" for name, value in change.items())


def _value(words: Words, value: object) -> str:
    match value:
        case None:
            return words("policy.none")
        case dict():
            parts = {name: one for name, one in value.items() if one not in (None, [], {}, ())}
            return _changes(words, parts) if "name" not in parts else words.name("source", str(parts["name"]))
        case list() | tuple():
            return ", ".join(_value(words, one) for one in value)
        case str():
            return words.name("source", value)
        case _:
            return str(value)
