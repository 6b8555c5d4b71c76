"""Pieces of a member that the member page and the card share."""

from collections.abc import Mapping
from datetime import date, timedelta

from nicegui import ui

from console import charts
from console.api import Record
from console.parts import Cell, box, chart, chip, meter, table, text
from console.shell import empty, panel
from console.site import Visit
from console.words import UNKNOWN, Words, number, percent

WEEKS = 5
SHOWN_A_DAY = 3
SURE = 0.5
SHOWN_BY = {
    "lifecycle_stage": "lifecycle",
    "main_hours": "preferred_hours",
    "main_channel": "preferred_channel",
    "liked_format": "preferred_format",
    "liked_channel": "best_channel",
}
"""Tags whose values are codes, and the segmentation that has the words for them."""
Called = Mapping[str, Mapping[str, str]]
"""Tag or segmentation -> code -> what it is called."""
BANDS = {"high": ("bad", "priority_high"), "medium": ("warn", "trending_up"), "low": ("good", "check")}


def standing_chip(words: Words, standing: str) -> None:
    """Show what is known of the member, when it is not simply known."""
    if standing != "known":
        chip(words.name("standing", standing), "warn", "info")


def tag_chips(words: Words, tags: list[Record]) -> None:
    """Show what operations call the member."""
    for tag in tags:
        chip(words.told(tag), "accent")
    if not tags:
        text("span", words("member.no_tags"), "muted small")


def risk(words: Words, churn: Record | None) -> None:
    """Show how likely the member is to leave, and how that compares."""
    if churn is None:
        empty(words("member.churn_none"), "person_off")
        return
    kind, icon = BANDS[churn["band"]]
    with box("across"):
        text("span", percent(churn["score"]), "strong num")
        chip(words(f"band.{churn['band']}"), kind, icon)
        text("span", words("member.higher_than", percent(churn["rank"], 0)), "muted small")
    meter(churn["score"], percent(churn["score"]))


def reasons(words: Words, churn: Record | None) -> None:
    """List what moves the score."""
    if not churn or not churn["why"]:
        return
    text("h3", words("member.why"))
    for why in churn["why"]:
        with box("down tight"):
            with box("across tied"):
                text("span", words.told(why))
                text("span", percent(why["share"], 0), "muted small num")
            meter(why["share"], percent(why["share"], 0))


def due_calendar(words: Words, card: Record) -> None:
    """Draw five weeks from as_of on, each category on the day by which a purchase is as likely as not."""
    as_of = date.fromisoformat(card["as_of"])
    first = as_of - timedelta(days=as_of.weekday())
    due: dict[str, list[Record]] = {}
    for one in card["next_purchases"]:
        if one["median_day"]:
            due.setdefault(one["median_day"], []).append(one)
    days = [first + timedelta(days=at) for at in range(7 * WEEKS)]
    if not any(str(day) in due for day in days):
        empty(words("member.nothing_due_long"), "event_available")
        return
    with box("calendar").props(f'role="list" aria-label="{words("member.calendar")}"'):
        for weekday in words("time.weekdays").split():
            text("div", weekday, "weekday")
        for day in days:
            state = "past" if day < as_of else "today" if day == as_of else ""
            with box(f"day {state}").props(f'role="listitem" data-day="{day}"'):
                text("div", f"{day:%m-%d}", "date")
                _due(words, due.get(str(day), []))


def next_purchases(words: Words, purchases: list[Record]) -> None:
    """Draw the 80% interval of each category's next purchase, and its probabilities."""
    rows = [one for one in purchases if one["median_day"]][:12]
    if not rows:
        empty(words("member.nothing_due_long"), "event_available")
        return
    spans = [(one["category"], one["low_day"], one["median_day"], one["high_day"]) for one in rows]
    drawn = chart(
        charts.spans(spans, words("member.interval"), words("member.median")),
        words("member.intervals_about"),
    )
    drawn.style(f"height: {72 + 28 * len(rows)}px")
    ends = any(one["need_ends"] for one in rows)
    names = ("category", "p7", "p14", "p28", "median", "interval", *(("ends",) if ends else ()))
    cells = (
        (
            one["category"],
            *(percent(one[name], 0) for name in ("p7", "p14", "p28")),
            one["median_day"],
            f"{one['low_day']} … {one['high_day']}",
            *((_ends(words, one),) if ends else ()),
        )
        for one in rows
    )
    table([words(f"member.{name}") for name in names], cells, right=(1, 2, 3), test="next-purchases")


def tag_table(visit: Visit, told: tuple[Record, Record, Record]) -> None:
    """List every tag with its value, by group, the member's segments, and what changed. told: tags of the member,
    catalogue of tags, segments.
    """
    words, (traits, catalogue, segments) = visit.words, told
    groups: dict[str, list[Record]] = {}
    for tag in catalogue["tags"]:
        groups.setdefault(tag["group"], []).append(tag)
    called = _called(words, segments["segments"])
    with box("columns"):
        with panel(words("tags.segments"), test="member-segments"):
            rows = [(words.told(one), _part(words, one, traits["segments"])) for one in segments["segments"]]
            table([words("tags.segment"), words("tags.part")], rows)
        for group, found in groups.items():
            with panel(words.name("group", group)):
                heads = [words("tags.name"), words("tags.value"), words("tags.pace")]
                table(heads, [_tag(words, tag, traits["tags"], called) for tag in found], test=f"tags-{group}")
    with panel(words("tags.history"), test="tag-history"):
        named = {one["name"]: one for one in (*catalogue["tags"], *segments["segments"])}
        _history(words, traits["history"], named, called)


def _called(words: Words, segments: list[Record]) -> Called:
    """Return what codes are called, by the segmentation or tag that they are values of."""
    by_segment = {one["name"]: {part["code"]: words.told(part) for part in one["parts"]} for one in segments}
    return by_segment | {tag: by_segment[name] for tag, name in SHOWN_BY.items() if name in by_segment}


def _history(words: Words, changes: list[Record], named: dict[str, Record], called: Called) -> None:
    if not changes:
        empty(words("tags.no_history"), "history")
        return
    rows = [
        (
            one["as_of"],
            words.told(named[one["name"]]) if one["name"] in named else one["name"],
            *(_told(words, one[side], named.get(one["name"], {}), called) for side in ("before", "after")),
        )
        for one in reversed(changes)
    ]
    with box("scrolls"):
        table([words(f"tags.{name}") for name in ("since", "name", "before", "after")], rows)


def _part(words: Words, segment: Record, of_member: Record) -> str:
    code = of_member.get(segment["name"])
    return next((words.told(part) for part in segment["parts"] if part["code"] == code), UNKNOWN)


def _tag(words: Words, tag: Record, of_member: Record, called: Called) -> tuple[Cell, ...]:
    def name() -> None:
        label = text("span", words.told(tag))
        with label:
            ui.tooltip(words.pick(tag["about_zh"], tag["about_en"]))

    return name, _told(words, of_member.get(tag["name"]), tag, called), words.name("pace", tag["pace"])


def _told(words: Words, value: object, of: Record, called: Called) -> str:
    """Write a value with its unit. of: the tag or segmentation that it is of."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return words("tags.yes") if value else words("tags.no")
    if isinstance(value, float | int):
        unit = of.get("unit", "")
        if unit == "share":
            return percent(value)
        plain = f"{number(value).rstrip('0').rstrip('.')}"
        return words(f"of_unit.{unit}", plain) if f"of_unit.{unit}" in words.catalogue else plain
    return called.get(of.get("name", ""), {}).get(str(value), str(value))


def _due(words: Words, due: list[Record]) -> None:
    for one in due[:SHOWN_A_DAY]:
        said = words("member.due_told", one["category"], percent(one["p7"], 0), one["low_day"], one["high_day"])
        label = text("div", one["category"], "due sure" if one["p7"] >= SURE else "due")
        label.props(f'tabindex="0" aria-label="{said}"')
        with label:
            ui.tooltip(said)
    if len(due) > SHOWN_A_DAY:
        more = text("div", words("member.more", len(due) - SHOWN_A_DAY), "muted small")
        with more:
            ui.tooltip(", ".join(one["category"] for one in due[SHOWN_A_DAY:]))


def _ends(words: Words, one: Record) -> str:
    if not one["need_ends"]:
        return UNKNOWN
    if one["next_category"]:
        return words("member.ends_next", one["need_ends"], one["next_category"])
    return str(one["need_ends"])
