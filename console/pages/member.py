"""One member: what is known, what was done, what is predicted, and what would be recommended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import Record, part
from console.pages.member_parts import due_calendar, next_purchases, reasons, risk, standing_chip, tag_chips, tag_table
from console.pages.recommended import recommended
from console.pages.timeline import timeline
from console.parts import box, text, tile
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import count, number, percent

ENTRIES = 300
Told = TypeVar("Told")


@dataclass(frozen=True)
class Known:
    """What the page begins with: the member's card, and the placements there are."""

    card: Record
    placements: Record


def register(site: Site) -> None:
    """Add the pages."""

    @ui.page("/members")
    async def members() -> RedirectResponse | None:
        visit = site.enter("/members")
        if visit is None:
            return to_login("/members")
        with shell(visit, "member"):
            _head(visit, "")
            with panel():
                empty(visit.words("member.search_first"), "person_search")
        return None

    @ui.page("/members/{member_id:path}")
    async def member(member_id: str) -> RedirectResponse | None:
        path = f"/members/{part(member_id)}"
        visit = site.enter(path)
        if visit is None:
            return to_login(path)
        with shell(visit, "member", member_id):
            _head(visit, member_id)
            content = box("stack", "member")
            soon(lambda: fill(visit, content, lambda: _known(visit, member_id), lambda known: _show(visit, known)))
        return None


async def _known(visit: Visit, member_id: str) -> Known:
    path = f"/members/{part(member_id)}/predictions"
    return Known(*await asyncio.gather(visit.api.get(path), visit.api.get("/placements")))


def _head(visit: Visit, member_id: str) -> None:
    words = visit.words

    def search() -> None:
        wanted = str(field.value or "").strip()
        if wanted:
            ui.navigate.to(f"/members/{part(wanted)}")

    with box("title-row"):
        text("h1", member_id or words("pages.member")).props('data-test="member-id"')
        box("grow")
        field = ui.input(placeholder=words("member.search"), value=member_id).props(
            f'outlined dense clearable data-test="search" aria-label="{words("member.search")}"'
        )
        field.style("width: 280px").on("keydown.enter", search)
        ui.button(words("member.find"), icon="search", on_click=search).props('unelevated no-caps data-test="find"')


def _show(visit: Visit, known: Known) -> None:
    words, card = visit.words, known.card
    with box("across"):
        standing_chip(words, card["standing"])
        tag_chips(words, card["tags"])
        box("grow")
        ui.link(words("member.card"), f"/card/{part(card['member_id'])}", new_tab=True)
    if card["standing"] == "opted_out":
        with panel():
            empty(words("member.opted_out"), "visibility_off")
        return
    _tiles(visit, card)
    with ui.tabs().props("align=left dense no-caps breakpoint=0") as tabs:
        names = ("predictions", "recommended", "timeline", "tags")
        made = [ui.tab(name, label=words(f"member.{name}")).props(f'data-test="tab-{name}"') for name in names]
    with ui.tab_panels(tabs, value=made[0], animated=False).classes("w-full"):
        with ui.tab_panel(made[0]).classes("grid free"):
            _predictions(visit, card)
        with ui.tab_panel(made[1]).classes("stack"):
            recommended(visit, card["member_id"], known.placements["placements"])
        path = f"/members/{part(card['member_id'])}"
        with ui.tab_panel(made[2]):
            _part(visit, lambda: visit.api.get(f"{path}/timeline", {"limit": ENTRIES}), timeline)
        with ui.tab_panel(made[3]):
            _part(visit, lambda: _traits(visit, path), tag_table)


async def _traits(visit: Visit, path: str) -> tuple[Record, Record, Record]:
    traits, catalogue, segments = await asyncio.gather(
        visit.api.get(f"{path}/tags", {"history": "true"}), visit.api.get("/tags"), visit.api.get("/segments")
    )
    return traits, catalogue, segments


def _part(visit: Visit, ask: Callable[[], Awaitable[Told]], show: Callable[[Visit, Told], None]) -> None:
    """Draw a part of the page that is asked for by itself."""
    content = box("stack")
    soon(lambda: fill(visit, content, ask, lambda told: show(visit, told)))


def _tiles(visit: Visit, card: Record) -> None:
    words, churn, value = visit.words, card["churn"], card["value"]
    with box("grid tiles"):
        tile(
            words("member.churn"),
            percent(churn["score"]) if churn else words("member.not_scored"),
            words("member.churn_more", percent(churn["base"]), churn["days"]) if churn else "",
            about=words("member.churn_about"),
            test="tile-churn",
            width="w3",
        )
        tile(
            words("member.value"),
            number(value["money"], 0) if value else words("member.not_scored"),
            words("member.value_more", value["days"], number(value["purchases"], 1)) if value else "",
            about=words("member.value_about"),
            test="tile-value",
            width="w3",
        )
        first = next((one for one in card["next_purchases"] if one["median_day"]), None)
        tile(
            words("member.next"),
            first["category"] if first else words("member.nothing_due"),
            words("member.next_more", words.day(first["median_day"]), percent(first["p7"], 0)) if first else "",
            test="tile-next",
            width="w3",
        )
        tile(
            words("member.as_of"),
            card["as_of"],
            words("member.due_n", count(sum(one["p7"] >= 0.5 for one in card["next_purchases"]))),
            test="tile-as-of",
            width="w3",
        )


def _predictions(visit: Visit, card: Record) -> None:
    words = visit.words
    with box("stack w8"):
        with panel(words("member.calendar"), test="calendar"):
            due_calendar(words, card)
        with panel(words("member.intervals"), test="intervals"):
            next_purchases(words, card["next_purchases"])
    with box("stack w4"):
        with panel(words("member.risk"), test="risk"):
            risk(words, card["churn"])
            reasons(words, card["churn"])
        with panel(words("member.launches"), test="launches"):
            _launches(visit, card["new_products"])


def _launches(visit: Visit, launches: list[Record]) -> None:
    if not launches:
        empty(visit.words("member.no_launches"), "new_releases")
    for at, one in enumerate(launches, start=1):
        with box("item"):
            text("div", str(at), "rank")
            with box("down tight"):
                text("div", one["name"] or one["product_id"])
                text("div", one["category"], "muted small")
            text("div", percent(one["score"]), "num strong")
