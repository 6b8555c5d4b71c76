"""The fields of each kind of condition; what is left empty is not asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from console.api import Record
from console.parts import box, text
from console.rules import Leaf
from console.words import Words

VISIT = "visit"
SCORES = ("churn", "active", "value", "repurchase", "new_product", "discovery", "recommend")
OF_CATEGORIES = ("repurchase", "discovery")
OF_PRODUCT = ("new_product", "discovery", "recommend")
WITHIN = (7, 14, 28)
MOST_OFFERED = 600
WHAT = ("category", "brand", "product")

Change = Callable[[], None]


@dataclass(frozen=True)
class Names:
    """What can be chosen. tags, segments: by name; vocabulary: the names of the publication."""

    words: Words
    tags: Mapping[str, Record]
    segments: Mapping[str, Record]
    vocabulary: Record

    @property
    def launches(self) -> dict[str, str]:
        """Products that are scored as new, by id."""
        told = self.vocabulary["launches"]
        return {one["product_id"]: f"{one['name'] or one['product_id']} · {one['category']}" for one in told}

    @classmethod
    def of(cls, words: Words, tags: Record, segments: Record, vocabulary: Record) -> "Names":
        """Take what the service tells of its names."""
        by_name = {one["name"]: one for one in tags["tags"]}
        return cls(words, by_name, {one["name"]: one for one in segments["segments"]}, vocabulary)


@dataclass(frozen=True)
class Edit:
    """One condition while it is edited. changed: after a change; redraw: after one that asks for other fields."""

    names: Names
    data: Record
    changed: Change
    redraw: Change

    def put(self, key: str, value: Any, *, into: Record | None = None) -> None:
        """Set a field, or take it away when it is empty."""
        data = self.data if into is None else into
        if value is None or value in ("", []) or value is False:
            data.pop(key, None)
        else:
            data[key] = value
        self.changed()


def new_leaf(names: Names, kind: str) -> Record | None:
    """Return a condition to begin with; None when the shop has nothing of the kind."""
    match kind:
        case "tag":
            first = next((name for name, tag in names.tags.items() if tag["kind"] == "number"), None)
            return None if first is None else {"tag": first}
        case "segment":
            name, spec = next(iter(names.segments.items()), ("", None))
            return None if spec is None else {"segment": name, "is": [spec["parts"][0]["code"]]}
        case "bought":
            return {"bought": {}, "days": 90, "min": 1}
        case "event":
            return {"event": VISIT, "days": 90, "min": 3}
        case "score":
            return {"score": "churn", "min": 0.5}
        case _:
            return {"contacted": {}, "days": 14, "max": 0}


def draw_leaf(names: Names, leaf: Leaf, changed: Change, redraw: Change) -> None:
    """Draw the fields of a condition."""
    _DRAWN[leaf.kind](Edit(names, leaf.data, changed, redraw))


def _tag(edit: Edit) -> None:
    words, tags = edit.names.words, edit.names.tags

    def choose(name: str) -> None:
        edit.data.clear()
        edit.data["tag"] = name
        edit.redraw()

    options = {name: f"{words.told(tag)} · {words.name('group', tag['group'])}" for name, tag in tags.items()}
    _choice(words("rule.tag"), options, edit.data["tag"], choose, test="tag-name")
    tag = tags.get(edit.data["tag"])
    if tag is None:
        return
    if tag["kind"] == "number":
        _number(edit, "min", words("rule.from"))
        _number(edit, "max", words("rule.below"))
        text("span", words.name("unit", tag["unit"]), "muted small")
    elif tag["kind"] == "text":
        _many(edit, "is", words("rule.is"), _same(tag["values"]), test="tag-values")
    else:
        text("span", words("rule.holds"), "muted small")
        return
    unknown = ui.checkbox(words("rule.unknown"), value=bool(edit.data.get("unknown"))).props("dense")
    unknown.on_value_change(lambda event: edit.put("unknown", event.value))


def _segment(edit: Edit) -> None:
    words, segments = edit.names.words, edit.names.segments

    def choose(name: str) -> None:
        edit.data.update({"segment": name, "is": [segments[name]["parts"][0]["code"]]})
        edit.redraw()

    _choice(
        words("rule.segment"),
        {name: words.told(one) for name, one in segments.items()},
        edit.data["segment"],
        choose,
        test="segment-name",
    )
    spec = segments.get(edit.data["segment"])
    values = {one["code"]: words.told(one) for one in spec["parts"] if one["code"] != "none"} if spec else {}
    _many(edit, "is", words("rule.is"), values, test="segment-values")


def _bought(edit: Edit) -> None:
    text("span", edit.names.words("rule.bought"), "strong")
    _goods(edit, edit.data["bought"])
    _window(edit)


def _event(edit: Edit) -> None:
    words = edit.names.words

    def choose(name: str) -> None:
        edit.put("event", name)

    kinds = {VISIT: words("rule.visit")} | {
        name: words.name("event", name) for name in edit.names.vocabulary["event_types"]
    }
    _choice(words("rule.event"), kinds, edit.data["event"], choose, test="event-type")
    of = dict(edit.data.get("of") or {})
    _goods(edit, of, kept_as="of")
    _window(edit)


def _score(edit: Edit) -> None:
    words, data = edit.names.words, edit.data

    def choose(task: str) -> None:
        data.clear()
        data["score"] = task
        if task not in ("value", "recommend"):
            data["min"] = 0.5
        if task == "new_product" and edit.names.launches:
            data["product_id"] = next(iter(edit.names.launches))
        edit.redraw()

    def bound(by: str) -> None:
        for key in ("min", "max", "top_share"):
            data.pop(key, None)
        data.update({"top_share": 0.05} if by == "top" else {"min": 0.5})
        edit.redraw()

    _choice(
        words("rule.score"),
        {task: words.name("score", task) for task in SCORES},
        data["score"],
        choose,
        width=184,
        test="score-task",
    )
    if data["score"] in OF_CATEGORIES:
        _many(
            edit, "category", words("rule.category"), _same(edit.names.vocabulary["categories"]), test="score-category"
        )
    if data["score"] == "repurchase":
        days = {n: words("rule.n_days", n) for n in WITHIN}
        _choice(words("rule.within"), days, data.get("within", 14), lambda n: edit.put("within", n), width=110)
    if data["score"] in OF_PRODUCT:
        _product(edit)
    ways = {"bound": words("rule.by_bound"), "top": words("rule.by_top")}
    _choice(words("rule.way"), ways, "top" if "top_share" in data else "bound", bound, width=92)
    if "top_share" in data:
        _number(edit, "top_share", words("rule.top_share"), step=0.01)
    else:
        _number(edit, "min", words("rule.from"), step=0.05)
        _number(edit, "max", words("rule.below"), step=0.05)


def _contacted(edit: Edit) -> None:
    words, names = edit.names.words, edit.names.vocabulary
    text("span", words("rule.contacted"), "strong")
    inner = edit.data["contacted"]
    for key, offered in (("channel", names["channels"]), ("campaign", names["campaigns"])):
        if offered:
            _many(edit, key, words(f"rule.{key}"), _same(offered), into=inner)
    _window(edit)


def _goods(edit: Edit, goods: Record, *, kept_as: str = "") -> None:
    """Draw which products count. kept_as: where the goods stand when there are any; empty = they always stand."""
    words, names = edit.names.words, edit.names.vocabulary
    offered = {"category": _same(names["categories"]), "brand": _same(names["brands"]), "product": edit.names.launches}

    def keep() -> None:
        if kept_as:
            edit.put(kept_as, goods or None)

    for key in WHAT:
        if offered[key] or key != "product":
            _many(edit, key, words(f"rule.{key}"), offered[key], into=goods, after=keep, test=f"goods-{key}")


def _window(edit: Edit) -> None:
    words = edit.names.words
    with box("across whole"):
        text("span", words("rule.in"), "muted small")
        _number(edit, "days", words("rule.days"), whole=True)
        _number(edit, "min", words("rule.least"), whole=True)
        _number(edit, "max", words("rule.most"), whole=True)


def _product(edit: Edit) -> None:
    options = edit.names.launches
    value = edit.data.get("product_id")
    if value and value not in options:
        options[value] = value
    choice = ui.select(
        options,
        value=value,
        label=edit.names.words("rule.product"),
        with_input=True,
        clearable=True,
        new_value_mode="add-unique",
        key_generator=lambda typed: typed,
    )
    choice.props("outlined dense options-dense").style("width: 260px")
    choice.on_value_change(lambda event: edit.put("product_id", event.value))


def _choice(
    label: str,
    options: Mapping[Any, str],
    value: Any,
    chosen: Callable[[Any], None],
    *,
    width: int = 184,
    test: str = "",
) -> None:
    choice = ui.select(
        dict(options), value=value if value in options else None, label=label, with_input=len(options) > 8
    )
    choice.props(f'outlined dense options-dense data-test="{test}"').style(f"width: {width}px")
    choice.on_value_change(lambda event: chosen(event.value) if event.value is not None else None)


def _many(
    edit: Edit,
    key: str,
    label: str,
    options: Mapping[str, str],
    *,
    into: Record | None = None,
    after: Change | None = None,
    test: str = "",
) -> None:
    """Draw a choice of several, of which more than are offered may be typed."""
    held = (edit.data if into is None else into).get(key) or []
    value = [held] if isinstance(held, str) else list(held)
    choice = ui.select(
        dict(options) | {one: options.get(one, one) for one in value},
        value=value,
        label=label,
        multiple=True,
        with_input=True,
        clearable=True,
        new_value_mode=None if options else "add-unique",
        key_generator=None if options else lambda typed: typed,
    )
    choice.props(f'outlined dense options-dense use-chips data-test="{test}"').classes("fields")

    def put(event: Any) -> None:
        edit.put(key, list(event.value or []), into=into)
        if after is not None:
            after()

    choice.on_value_change(put)


def _number(edit: Edit, key: str, label: str, *, whole: bool = False, step: float = 1) -> None:
    field = ui.number(label, value=edit.data.get(key), step=step, precision=0 if whole else None)
    field.props(f'outlined dense data-test="field-{key}"').style("width: 72px")

    def put(event: Any) -> None:
        edit.put(key, None if event.value is None else int(event.value) if whole else float(event.value))

    field.on_value_change(put)


def _same(names: list[str]) -> dict[str, str]:
    """Offer names as they are; too many to be sent along are typed instead."""
    return {name: name for name in names} if len(names) <= MOST_OFFERED else {}


_DRAWN: Mapping[str, Callable[[Edit], None]] = {
    "tag": _tag,
    "segment": _segment,
    "bought": _bought,
    "event": _event,
    "score": _score,
    "contacted": _contacted,
}
