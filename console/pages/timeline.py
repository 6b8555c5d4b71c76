"""What a member did, newest first."""

from nicegui import ui

from console import charts
from console.api import Record
from console.parts import box, chart, chip, text
from console.shell import empty, panel
from console.site import Visit
from console.words import Words, count, number

KINDS = {
    "purchase": ("purchase", "live_purchase"),
    "event": ("event", "live_view", "live_favourite", "live_cart"),
    "contact": ("contact",),
}
ICONS = {
    "purchase": "shopping_bag",
    "live_purchase": "shopping_bag",
    "event": "touch_app",
    "contact": "mail",
    "live_view": "visibility",
    "live_favourite": "favorite",
    "live_cart": "shopping_cart",
}
EVENT_ICONS = {
    "view": "visibility",
    "search": "search",
    "favourite": "favorite",
    "cart": "shopping_cart",
    "check_in": "event_available",
    "share": "share",
    "click": "ads_click",
}


def timeline(visit: Visit, told: Record) -> None:
    """Draw the purchases by day and the list of all, which can be narrowed to a kind."""
    words = visit.words
    with panel(words("timeline.days"), test="purchase-days"):
        if told["purchase_days"]:
            chart(charts.days(told["purchase_days"], words("timeline.money")), words("timeline.days_about"), "low")
        else:
            empty(words("timeline.no_purchases"), "shopping_bag")
    with panel(words("timeline.entries", count(len(told["entries"])), count(told["total"])), test="timeline"):
        kinds = {"all": words("timeline.all")} | {kind: words(f"timeline.{kind}") for kind in KINDS}
        choice = ui.toggle(kinds, value="all").props('no-caps dense unelevated toggle-color="primary"')
        if not told["live"]:
            chip(words("timeline.not_live"), "warn", "cloud_off")
        lines = box("line-list scrolls", "lines")
        choice.on_value_change(lambda event: _entries(words, lines, told, str(event.value)))
        _entries(words, lines, told, "all")


def _entries(words: Words, lines: ui.element, told: Record, kind: str) -> None:
    lines.clear()
    entries = [one for one in told["entries"] if kind == "all" or one["kind"] in KINDS[kind]]
    with lines:
        for entry in entries:
            _entry(words, entry)
        if not entries:
            empty(words("timeline.none"))


def _entry(words: Words, entry: Record) -> None:
    event = entry["event"]
    with box("line"):
        hour = "" if entry["hour"] is None else f" {entry['hour']:02d}:00"
        text("span", f"{entry['day']}{hour}", "muted num small")
        ui.icon(EVENT_ICONS.get(event or "", ICONS[entry["kind"]]))
        with box("across"):
            text("span", words.name("event", event) if event else words.name("kind", entry["kind"]), "strong")
            text("span", _about(words, entry), "clip")
            if entry["kind"].startswith("live"):
                chip(words("timeline.live"), "good", "bolt")
        text("span", number(entry["amount"]) if entry["amount"] is not None else "", "num")


def _about(words: Words, entry: Record) -> str:
    product = entry["product"]
    if product is not None:
        name = product["name"] or product["product_id"]
        times = f" × {entry['quantity']:g}" if entry["quantity"] and entry["quantity"] != 1 else ""
        return f"{name}{times} · {product['category']}"
    told = (entry["campaign"], entry["channel"], entry["format"])
    return " · ".join(words.name("format", one) for one in told if one)
