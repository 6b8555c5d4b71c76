"""The segments: how large each part is, who moved, and what calls for a look."""

from nicegui import ui
from starlette.responses import RedirectResponse

from console import charts
from console.api import Record
from console.parts import box, chart, chip, table, text
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import UNKNOWN, Words, count, percent

AWAY = "away"
NONE = "none"


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/segments")
    async def segments() -> RedirectResponse | None:
        visit = site.enter("/segments")
        if visit is None:
            return to_login("/segments")
        with shell(visit, "segments"):
            with box("title-row"):
                text("h1", visit.words("pages.segments"))
            content = box("stack", "segments")
            soon(lambda: fill(visit, content, lambda: visit.api.get("/segments"), lambda told: _show(visit, told)))
        return None


def _show(visit: Visit, told: Record) -> None:
    words, segments = visit.words, told["segments"]
    if not segments:
        with panel():
            empty(words("segments.none"), "donut_large")
        return
    _alerts(words, told["alerts"], {one["name"]: one for one in segments})
    names = {one["name"]: words.told(one) for one in segments}
    with ui.tabs().props("align=left dense no-caps breakpoint=0") as tabs:
        for name, label in names.items():
            ui.tab(name, label=label).props(f'data-test="segment-{name}"')
    with ui.tab_panels(tabs, value=segments[0]["name"], animated=False):
        for one in segments:
            with ui.tab_panel(one["name"]).classes("grid"):
                _segment(words, one)


def _alerts(words: Words, alerts: list[Record], named: dict[str, Record]) -> None:
    with panel(words("segments.alerts"), test="alerts"):
        if not alerts:
            with box("across"):
                chip(words("segments.no_alerts"), "good", "check")
            return
        rows = [
            (
                one["until"],
                words.told(named[one["segment"]]) if one["segment"] in named else one["segment"],
                words.told(one),
                count(one["moved"]),
                f"{one['expected']:,.1f}",
                f"+{percent(one['rise'], 0)}",
            )
            for one in alerts
        ]
        heads = [words(f"segments.{name}") for name in ("until", "segment", "what", "moved", "expected", "rise")]
        with box("scrolls"):
            table(heads, rows, right=(3, 4, 5), test="alert-lines")


def _segment(words: Words, segment: Record) -> None:
    parts = [one for one in segment["parts"] if one["size"] or one["code"] != NONE]
    whole = sum(one["size"] for one in parts) or 1
    with panel(words("segments.sizes"), width="w6", test="sizes"):
        text("div", words.pick(segment["about_zh"], segment["about_en"]), "muted small")
        sizes = [one["size"] for one in parts]
        drawn = chart(
            charts.bars([words.told(one) for one in parts], sizes, words("segments.members")),
            words("segments.sizes_about"),
        )
        drawn.style(f"height: {48 + 32 * len(parts)}px")
        heads = [words(f"segments.{name}") for name in ("part", "members", "share", "change")]
        rows = [(words.told(one), count(one["size"]), percent(one["size"] / whole), _change(one)) for one in parts]
        table(heads, rows, right=(1, 2, 3), test="size-lines")
        if segment["cuts"]:
            with box("across"):
                text("span", words("segments.cuts"), "muted small")
                for name, value in segment["cuts"].items():
                    said = words.name("cut", name)
                    chip(f"{said} = {value:g}")
    with panel(words("segments.movement"), width="w6", test="movement"):
        _movement(words, segment)
    if len(segment["sizes"]) > 1:
        with panel(words("segments.over_time"), test="over-time"):
            days = [one["as_of"] for one in segment["sizes"]]
            series = {words.told(part): [one["sizes"].get(part["code"]) for one in segment["sizes"]] for part in parts}
            chart(charts.lines(days, series), words("segments.over_time_about"))


def _change(part: Record) -> str:
    if part["before"] is None:
        return UNKNOWN
    change = part["size"] - part["before"]
    return f"{change:+,d}" if change else "0"


def _movement(words: Words, segment: Record) -> None:
    moved = segment["movement"]
    if moved is None:
        empty(words("segments.no_movement"), "swap_horiz")
        return
    text("div", words("segments.since", moved["since"], moved["days"]), "muted small")
    labels = {one["code"]: words.told(one) for one in segment["parts"]} | {AWAY: words("segments.away")}
    links = [
        (f"{origin} ", f" {to}", n)
        for origin, row in zip(moved["codes"], moved["counts"], strict=True)
        for to, n in zip(moved["codes"], row, strict=True)
        if n
    ]
    used = {node for one in links for node in one[:2]}
    before = [(f"{code} ", labels[code]) for code in moved["codes"] if f"{code} " in used]
    now = [(f" {code}", labels[code]) for code in moved["codes"] if f" {code}" in used]
    options = charts.flow([*before, *now], links, [labels[AWAY], labels[NONE]])
    drawn = chart(options, words("segments.movement_about"), "high", test="sankey")
    drawn.style(f"height: {max(240, 48 * len(now))}px")
    with ui.expansion(words("segments.matrix")).props("dense").classes("w-full"):
        shown = [code for code in moved["codes"] if f"{code} " in used or f" {code}" in used]
        place = {code: at for at, code in enumerate(moved["codes"])}
        rows = [(labels[one], *(count(moved["counts"][place[one]][place[other]]) for other in shown)) for one in shown]
        table(
            [words("segments.from_to"), *(labels[code] for code in shown)],
            rows,
            right=tuple(range(1, len(shown) + 1)),
            test="matrix",
        )
