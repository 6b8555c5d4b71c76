"""What a member would be shown at a placement, with reasons."""

from nicegui import ui

from console.api import Record
from console.parts import box, chip, text
from console.shell import empty, fill, panel, soon
from console.site import Visit
from console.words import Words, number

K = 10
CONTROL = "control"
"""The variant of those who are in none."""


def recommended(visit: Visit, member_id: str, placements: list[Record], *, width: str = "w12") -> None:
    """Draw a choice of placements and, below, what the member would be shown there."""
    words = visit.words
    names = {one["name"]: words.told(one) for one in placements}

    async def show() -> None:
        ask = {"placement": choice.value, "member_id": member_id, "k": K}
        await fill(visit, content, lambda: visit.api.post("/recommend", ask), lambda told: items(visit, told))

    with panel(width=width, test="recommended"):
        choice = ui.select(names, value=next(iter(names)), label=words("recommended.placement"), on_change=show)
        choice.props('outlined dense data-test="placement"').style("max-width: 360px")
        content = box("down")
        soon(show)


def items(visit: Visit, answer: Record) -> None:
    """List the items of an answer."""
    words = visit.words
    with box("across"):
        chip(words.name("route", answer["route"]), "accent", "route")
        if answer["variant"] != CONTROL:
            chip(words("recommended.variant", answer["variant"]))
        for fallback in answer["fallbacks"]:
            chip(words("recommended.fallback", words.name("source", fallback["step"])), "warn", "alt_route")
    if not answer["items"]:
        empty(words("recommended.none"))
    with box("items"):
        _list(words, answer["items"])


def _list(words: Words, found: list[Record]) -> None:
    for at, item in enumerate(found, start=1):
        with box("item").props('data-test="item"'):
            text("div", str(at), "rank")
            with box("down tight"):
                text("div", item["name"] or item["product_id"])
                text("div", words.told(item["reason"]), "small").style("color: var(--accent)")
                told = [item["category"], item["subcategory"], item["brand"], item["product_id"]]
                text("div", " · ".join(one for one in told if one), "muted small")
            with box("down tight").style("align-items: flex-end"):
                text("div", number(item["price"]) if item["price"] is not None else "", "num")
                chip(words.name("source", item["source"]))
