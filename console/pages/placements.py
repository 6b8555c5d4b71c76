"""The placements: their policy in words, and what a visit would be shown and why."""

import asyncio

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import Record
from console.pages.policy import policy
from console.pages.recommended import items
from console.parts import box, chip, table, text
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import Words, count

K = 10


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/placements")
    async def placements() -> RedirectResponse | None:
        visit = site.enter("/placements")
        if visit is None:
            return to_login("/placements")
        with shell(visit, "placements"):
            with box("title-row"):
                text("h1", visit.words("pages.placements"))
            content = box("stack", "placements")
            soon(lambda: fill(visit, content, lambda: _known(visit), lambda told: _show(visit, *told)))
        return None


async def _known(visit: Visit) -> tuple[Record, dict[str, str]]:
    """Return the placements, and what tags are called."""
    placements, tags = await asyncio.gather(visit.api.get("/placements"), visit.api.get("/tags"))
    return placements, {one["name"]: visit.words.told(one) for one in tags["tags"]}


def _show(visit: Visit, told: Record, tags: dict[str, str]) -> None:
    words = visit.words
    if told["refused_setting"]:
        with panel(test="refused"), box("across"):
            chip(words("placements.refused"), "bad", "error")
            text("span", f"{told['refused_setting']}: {told['refused_rule']}")
    if told["unknown"]:
        with panel(test="unknown"), box("across"):
            chip(words("placements.unknown"), "warn", "help")
            text("span", "; ".join(told["unknown"]))
    with box("grid free"):
        with panel(words("placements.all"), width="w3"):
            buttons = [_button(words, one) for one in told["placements"]]
        right = box("stack w9")

    def choose(at: int) -> None:
        for place, button in enumerate(buttons):
            button.classes(add="here" if place == at else "", remove="" if place == at else "here")
            button.props(f'aria-pressed="{"true" if place == at else "false"}"')
        right.clear()
        with right:
            _placement(visit, told["placements"][at], tags)

    for at, button in enumerate(buttons):
        button.on("click", lambda at=at: choose(at))
    choose(0)


def _button(words: Words, placement: Record) -> ui.element:
    button = ui.element("button").classes("pick").props(f'type="button" data-test="placement-{placement["name"]}"')
    with button:
        text("div", words.told(placement), "strong")
        text("div", placement["name"], "muted small")
    return button


def _placement(visit: Visit, placement: Record, tags: dict[str, str]) -> None:
    words = visit.words
    with panel(words("placements.policy"), test="policy"):
        policy(words, placement["policy"], tags)
    with panel(words("placements.preview"), test="preview"):
        text("div", words("placements.preview_about"), "muted small")
        with box("across wide"):
            member = ui.input(words("placements.member")).props('outlined dense clearable data-test="preview-member"')
            products = ui.input(words("placements.products")).props(
                'outlined dense clearable data-test="preview-products"'
            )
            products.classes("fill").style("min-width: 320px")
            button = ui.button(words("placements.show"), icon="play_arrow").props(
                'unelevated no-caps data-test="preview-show"'
            )
        content = box("down")
        with content:
            empty(words("placements.preview_first"), "visibility")

        async def show() -> None:
            ask: Record = {"placement": placement["name"], "k": K}
            if member.value:
                ask["member_id"] = str(member.value).strip()
            around = [one.strip() for one in str(products.value or "").split(",") if one.strip()]
            if around:
                ask["context"] = {"products": around}
            await fill(
                visit, content, lambda: visit.api.post("/placements/explain", ask), lambda told: _explained(visit, told)
            )

        button.on_click(show)
        member.on("keydown.enter", show)
        products.on("keydown.enter", show)


def _explained(visit: Visit, told: Record) -> None:
    words = visit.words
    with box("grid"):
        with box("down w6", "explained-items"):
            text("h3", words("placements.shown"))
            items(visit, told["answer"])
        with box("down w6", "explained-rules"):
            text("h3", words("placements.sources"))
            heads = [words(f"placements.{name}") for name in ("source", "candidates", "kept_out", "shown_n")]
            rows = [
                (
                    words.name("source", one["source"])
                    + (f" ({words('placements.fallback')})" if one["fallback"] else ""),
                    count(one["candidates"]),
                    count(one["kept_out"]),
                    count(one["shown"]),
                )
                for one in told["sources"]
            ]
            table(heads, rows, right=(1, 2, 3), test="sources")
            text("h3", words("placements.removed"))
            if told["capped"]:
                chip(words("placements.capped"), "warn", "block")
            for step in told["lifted"]:
                chip(words("placements.lifted", words.name("keeper", step)), "warn", "lock_open")
            if not told["kept_out"]:
                empty(words("placements.nothing_removed"), "check_circle")
            for rule in told["kept_out"]:
                _rule(visit, rule)


def _rule(visit: Visit, rule: Record) -> None:
    words = visit.words
    title = words("placements.rule", words.name("keeper", rule["rule"]), count(rule["count"]))
    with ui.expansion(title).props(f'dense data-test="rule-{rule["rule"]}"').classes("w-full"):
        rows = [
            (
                one["product"]["name"] or one["product"]["product_id"],
                one["product"]["category"],
                words("placements.rank", words.name("source", one["source"]), one["rank"]),
            )
            for one in rule["products"]
        ]
        table([words("placements.product"), words("member.category"), words("placements.named_by")], rows)
        if rule["count"] > len(rows):
            text("div", words("placements.more", count(rule["count"] - len(rows))), "muted small")
