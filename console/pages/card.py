"""The member card for the side of a chat: narrow, and all on one page."""

import asyncio

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import Record, part
from console.pages.member_parts import reasons, risk, standing_chip, tag_chips
from console.pages.recommended import recommended
from console.parts import box, chip, text
from console.shell import dress, empty, fill, language_switch, panel, soon
from console.site import Site, Visit, to_login
from console.words import UNKNOWN, number, percent

SHOWN = 6
LAST = 4
ENTRIES = 60
"""So many entries of the timeline are looked through for the last purchases."""


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/card/{member_id:path}")
    async def card(member_id: str) -> RedirectResponse | None:
        path = f"/card/{part(member_id)}"
        visit = site.enter(path)
        if visit is None:
            return to_login(path)
        dress(visit.words, member_id)
        with ui.element("main").classes("card-page"):
            with box("across"):
                text("h1", member_id, "clip")
                box("grow")
                language_switch(site)
            content = box("down", "card")
            soon(lambda: fill(visit, content, lambda: _known(visit, member_id), lambda known: _show(visit, *known)))
        return None


async def _known(visit: Visit, member_id: str) -> tuple[Record, Record, Record]:
    path = f"/members/{part(member_id)}"
    card, timeline, placements = await asyncio.gather(
        visit.api.get(f"{path}/predictions"),
        visit.api.get(f"{path}/timeline", {"limit": ENTRIES}),
        visit.api.get("/placements"),
    )
    return card, timeline, placements


def _show(visit: Visit, card: Record, timeline: Record, placements: Record) -> None:
    words = visit.words
    with box("across"):
        standing_chip(words, card["standing"])
        tag_chips(words, card["tags"])
    if card["standing"] == "opted_out":
        with panel():
            empty(words("member.opted_out"), "visibility_off")
        return
    with panel(words("member.risk")):
        risk(words, card["churn"])
        reasons(words, card["churn"])
        if card["value"]:
            text("div", words("card.value", card["value"]["days"], number(card["value"]["money"], 0)), "small")
    with panel(words("card.due"), test="card-due"):
        _due(visit, [one for one in card["next_purchases"] if one["median_day"]][:SHOWN])
    with panel(words("card.last"), test="card-last"):
        _last(visit, [one for one in timeline["entries"] if one["kind"].endswith("purchase")][:LAST])
    recommended(visit, card["member_id"], placements["placements"])
    text("div", words("card.as_of", card["as_of"]), "muted small")


def _last(visit: Visit, purchases: list[Record]) -> None:
    if not purchases:
        empty(visit.words("timeline.no_purchases"), "shopping_bag")
    for one in purchases:
        product = one["product"] or {}
        with box("across tied"):
            text("span", product.get("name") or product.get("product_id") or UNKNOWN)
            text("span", one["day"][5:], "muted small num")


def _due(visit: Visit, purchases: list[Record]) -> None:
    words = visit.words
    if not purchases:
        empty(words("member.nothing_due_long"), "event_available")
    for one in purchases:
        with box("across"):
            with box("down tight"):
                text("span", one["category"])
                text("span", f"{one['low_day'][5:]} … {one['high_day'][5:]}", "muted small")
            box("grow")
            text("span", words.day(one["median_day"])[5:], "num small")
            chip(percent(one["p7"], 0), "accent" if one["p7"] >= 0.5 else "")
