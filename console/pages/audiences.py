"""The list of audiences."""

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import Record, part
from console.parts import Cell, box, chip, table, text
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import count, number

STANDINGS = {"live": ("good", "bolt"), "past": ("", "schedule"), "ended": ("warn", "stop")}


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/audiences")
    async def audiences() -> RedirectResponse | None:
        visit = site.enter("/audiences")
        if visit is None:
            return to_login("/audiences")
        with shell(visit, "audiences"):
            with box("title-row"):
                text("h1", visit.words("pages.audiences"))
                box("grow")
                ui.link(visit.words("audit.title"), "/audit").props('data-test="to-audit"')
                new = ui.button(
                    visit.words("audience.new"), icon="add", on_click=lambda: ui.navigate.to("/audiences/new")
                )
                new.props('unelevated no-caps data-test="new"')
            content = box("stack", "audiences")
            soon(lambda: fill(visit, content, lambda: visit.api.get("/audiences"), lambda told: _show(visit, told)))
        return None


def standing(visit: Visit, status: str) -> None:
    """Show what an audience is good for."""
    kind, icon = STANDINGS[status]
    chip(visit.words(f"audience.{status}"), kind, icon)


def _show(visit: Visit, told: Record) -> None:
    words, audiences = visit.words, told["audiences"]
    with panel():
        if not audiences:
            empty(words("audience.none"), "group_add")
            return
        find = ui.input(placeholder=words("audience.find")).props('outlined dense clearable data-test="find-audience"')
        find.style("max-width: 320px")
        lines = box("down", "audience-list")

        def draw() -> None:
            wanted = str(find.value or "").casefold()
            found = [
                one for one in audiences if wanted in f"{one['name']} {one['rule_zh']} {one['rule_en']}".casefold()
            ]
            lines.clear()
            with lines:
                _list(visit, found)

        find.on_value_change(draw)
        draw()


def _list(visit: Visit, audiences: list[Record]) -> None:
    words = visit.words
    if not audiences:
        empty(words("audience.none_found"), "search_off")
        return

    def row(one: Record) -> tuple[Cell, ...]:
        def name() -> None:
            with box("down tight"):
                ui.link(one["name"], f"/audiences/{part(one['audience_id'])}").classes("strong")
                text("span", words.pick(one["rule_zh"], one["rule_en"]), "muted small")

        return (
            name,
            lambda: standing(visit, one["status"]),
            str(one["version"]),
            count(one["members"]),
            count(one["treated"]),
            number(one["expected"], 1),
            words.moment(one["created_at"]),
            words.name("person", one["created_by"]),
        )

    heads = ("name", "status", "version", "in_package", "treated", "expected", "created_at", "created_by")
    table([words(f"audience.{head}") for head in heads], map(row, audiences), right=(3, 4, 5), keep=(6, 7))
