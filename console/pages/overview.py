"""The overview: how the shop stands."""

import asyncio
import re
from dataclasses import dataclass

from nicegui import ui
from starlette.responses import RedirectResponse

from console import charts
from console.api import ApiError, Record
from console.parts import box, chart, chip, facts, text, tile
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import count, number, percent

ROUTES = re.compile(r'^recsys_routes_total\{.*route="(?P<route>\w+)".*\} (?P<n>\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Board:
    """What the page shows. routes: recommendations since the service started, by route; None = not to be told."""

    overview: Record
    models: Record
    routes: dict[str, float] | None


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/")
    async def overview() -> RedirectResponse | None:
        visit = site.enter("/")
        if visit is None:
            return to_login("/")
        with shell(visit, "overview"):
            with box("title-row"):
                text("h1", visit.words("pages.overview"))
            content = box("stack", "overview")
            soon(lambda: fill(visit, content, lambda: _board(visit), lambda board: _show(visit, board)))
        return None


async def _board(visit: Visit) -> Board:
    overview, models = await asyncio.gather(visit.api.get("/overview"), visit.api.get("/models"))
    return Board(overview, models, await _routes(visit))


async def _routes(visit: Visit) -> dict[str, float] | None:
    try:
        page = await visit.api.text("/metrics")
    except ApiError:
        return None
    routes: dict[str, float] = {}
    for found in ROUTES.finditer(page):
        routes[found["route"]] = routes.get(found["route"], 0.0) + float(found["n"])
    return routes


def _show(visit: Visit, board: Board) -> None:
    with box("grid tiles"):
        _tiles(visit, board)
    with box("grid"):
        _weeks(visit, board.overview["weeks"])
        _freshness(visit, board)
        _publications(visit, [*board.overview["before"], board.overview["now"]])
        _answers(visit, board.routes)


def _tiles(visit: Visit, board: Board) -> None:
    words, now = visit.words, board.overview["now"]
    active, members = now["active"], now["members"]
    tile(
        words("overview.members"),
        count(members),
        words("overview.opted_out", count(now["opted_out"])),
        test="tile-members",
    )
    tile(
        words("overview.active"),
        count(active),
        words("overview.of_members", percent(_share(active, members))),
        about=words("overview.active_about"),
        test="tile-active",
    )
    tile(
        words("overview.due"),
        count(now["due_this_week"]),
        words("overview.due_more", count(now["purchases_this_week"])),
        about=words("overview.due_about"),
        test="tile-due",
    )
    tile(
        words("overview.risk"),
        count(now["at_risk"]),
        words("overview.risk_more", count(now["expected_to_leave"])),
        about=words("overview.risk_about"),
        test="tile-risk",
    )
    stake = now["money_at_stake"] if now["money_days"] else None
    tile(
        words("overview.stake"),
        count(stake),
        words("overview.stake_more", percent(_share(stake or 0.0, now["money_expected"])), now["money_days"])
        if now["money_days"]
        else words("overview.stake_none"),
        about=words("overview.stake_about"),
        test="tile-stake",
    )
    asked = sum((board.routes or {}).values())
    cold = (board.routes or {}).get("cold", 0.0)
    tile(
        words("overview.fallback"),
        percent(_share(cold, asked)) if asked else words("overview.none_yet"),
        words("overview.fallback_more", count(asked)),
        about=words("overview.fallback_about"),
        test="tile-fallback",
    )


def _weeks(visit: Visit, weeks: list[Record]) -> None:
    words = visit.words
    with panel(words("overview.weeks"), width="w8", test="weeks"):
        if weeks:
            members, money = words("overview.buyers"), words("overview.money")
            chart(charts.weeks(weeks, members, money), words("overview.weeks_about"))
        else:
            empty(words("overview.no_weeks"))


def _freshness(visit: Visit, board: Board) -> None:
    words, told = visit.words, board.overview
    with panel(words("overview.freshness"), width="w4", test="freshness"):
        facts(
            (
                (words("overview.as_of"), words.day(told["now"]["as_of"])),
                (words("overview.published_at"), words.moment(told["published_at"])),
                (words("overview.publication"), told["now"]["publication"]),
            )
        )
        for model in board.models["models"]:
            _freshness_of(visit, model)
        if not board.models["models"]:
            text("div", words("models.none"), "muted small")


def _freshness_of(visit: Visit, model: Record) -> None:
    words, shelf = visit.words, model["shelf"]
    if not shelf["versions"]:
        return
    champion = next((one["version"] for one in shelf["versions"] if "champion" in one["aliases"]), None)
    waiting = any("challenger" in one["aliases"] for one in shelf["versions"])
    with box("across tied"):
        with box("down tight"):
            ui.link(words.name("task", shelf["task"]), f"/models?task={shelf['task']}")
            if model["published"] is not None:
                text("span", words("overview.version", model["published"]), "muted small")
        if waiting:
            chip(words("overview.waiting"), "accent", "hourglass_top")
        if champion != model["published"]:
            chip(words("overview.unpublished"), "warn", "publish")
        else:
            chip(words("overview.fresh"), "good", "check")


def _publications(visit: Visit, told: list[Record]) -> None:
    words = visit.words
    with panel(words("overview.publications"), width="w8", test="publications"):
        if len(told) < 2:
            empty(words("overview.one_publication"), "timeline")
            return
        series = {
            words("overview.due"): [one["due_this_week"] for one in told],
            words("overview.risk"): [one["at_risk"] for one in told],
            words("overview.active"): [one["active"] for one in told],
        }
        chart(charts.lines([one["as_of"] for one in told], series), words("overview.publications_about"))


def _answers(visit: Visit, routes: dict[str, float] | None) -> None:
    words = visit.words
    with panel(words("overview.routes"), width="w4", test="routes"):
        if not routes:
            empty(words("overview.no_routes"), "route")
            return
        order = sorted(routes.items(), key=lambda pair: -pair[1])
        names = [words.name("route", route) for route, _ in order]
        chart(charts.bars(names, [n for _, n in order], words("overview.answers")), words("overview.routes_about"))
        total = sum(routes.values())
        text("div", words("overview.routes_more", number(total, 0)), "muted small")


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
