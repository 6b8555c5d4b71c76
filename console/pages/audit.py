"""The audit log: who looked at, made and took away what."""

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import Record, part
from console.parts import Cell, box, table, text
from console.shell import empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import UNKNOWN, Words, count

LINES = 200


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/audit")
    async def audit(before: int = 0) -> RedirectResponse | None:
        visit = site.enter("/audit")
        if visit is None:
            return to_login("/audit")
        query: dict[str, int] = {"limit": LINES} | ({"before": before} if before else {})
        with shell(visit, "audiences", visit.words("audit.title")):
            with box("title-row"):
                ui.link(visit.words("pages.audiences"), "/audiences")
                text("h1", visit.words("audit.title"))
            content = box("stack", "audit")
            soon(lambda: fill(visit, content, lambda: visit.api.get("/audit", query), lambda told: _show(visit, told)))
        return None


def _show(visit: Visit, told: Record) -> None:
    words = visit.words

    def row(line: Record) -> tuple[Cell, ...]:
        def subject() -> None:
            if line["subject"]:
                folder = "members" if line["action"] == "member" else "audiences"
                ui.link(line["subject"], f"/{folder}/{part(line['subject'])}")

        return (
            words.moment(line["at"]),
            words.name("person", line["who"]),
            words.name("action", line["action"]),
            subject,
            str(line["version"] or UNKNOWN),
            count(line["members"]),
            _details(words, line["told"]),
        )

    with panel():
        if not told["lines"]:
            empty(words("audit.none"), "history")
            return
        heads = ("when", "who", "what", "subject", "version", "members", "more")
        table(
            [words(f"audit.{head}") for head in heads],
            map(row, told["lines"]),
            right=(5,),
            keep=(0, 1, 2),
            test="audit-lines",
        )
        if told["more_before"] is not None:
            ui.link(words("audit.earlier"), f"/audit?before={told['more_before']}")


def _details(words: Words, told: Record) -> str:
    """Say what else a line tells, each part by its name."""
    parts = (
        f"{words.name('detail', name)}{words('audit.is')}{_value(words, value)}"
        for name, value in told.items()
        if value is not None and not isinstance(value, list) and name != "members"
    )
    return words("audit.between").join(parts)


def _value(words: Words, value: object) -> str:
    match value:
        case bool():
            return words("tags.yes") if value else words("tags.no")
        case int() | float():
            return count(value)
        case {"template": template}:
            return words.name("scenario", str(template))
        case dict():
            return words("audit.between").join(words.name("detail", str(name)) for name in value)
        case _:
            return words.name("detail", str(value))
