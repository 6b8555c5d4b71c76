"""The members of a package, a page at a time."""

from collections.abc import Callable

from nicegui import ui

from console.api import Record, part
from console.parts import Cell, box, chip, table, text
from console.shell import empty, fill, panel, soon
from console.site import Visit
from console.words import UNKNOWN, count, number

A_PAGE = 20
ARMS = ("all", "treated", "held_out")


class AudienceMembers:
    """Draws the newest version's members; only those on the page are asked for."""

    def __init__(self, visit: Visit, audience_id: str) -> None:
        self._visit, self._words = visit, visit.words
        self._path = f"/audiences/{part(audience_id)}/members"
        self._first, self._total = 0, 0
        with panel(visit.words("audience.members"), test="package"):
            with box("across"):
                self._arm = ui.toggle({one: visit.words(f"audience.{one}") for one in ARMS}, value=ARMS[0])
                self._arm.props('dense no-caps unelevated data-test="package-arm"').on_value_change(self._again)
                box("grow")
                self._place = text("span", "", "muted small num").props('aria-live="polite" data-test="package-place"')
                self._back = self._turner("chevron_left", "audience.page_back", self._turn_back)
                self._on = self._turner("chevron_right", "audience.page_on", self._turn_on)
            self._rows = box("down")
            soon(self._load)

    def _turner(self, icon: str, name: str, turn: "Callable[[], object]") -> ui.button:
        button = ui.button(icon=icon, on_click=turn)
        test = name.replace("audience.", "").replace("_", "-")
        return button.props(f'flat dense round aria-label="{self._words(name)}" data-test="{test}"')

    async def _load(self) -> None:
        ask: dict[str, str | int] = {"arm": str(self._arm.value), "first": self._first, "count": A_PAGE}
        await fill(self._visit, self._rows, lambda: self._visit.api.get(self._path, ask), self._show)

    async def _again(self) -> None:
        self._first = 0
        await self._load()

    async def _turn_back(self) -> None:
        self._first = max(self._first - A_PAGE, 0)
        await self._load()

    async def _turn_on(self) -> None:
        self._first += A_PAGE
        await self._load()

    def _show(self, told: Record) -> None:
        words, found, total = self._words, told["members"], told["total"]
        last = self._first + len(found)
        self._place.set_text(words("audience.place", count(self._first + 1 if found else 0), count(last), count(total)))
        self._back.set_enabled(self._first > 0)
        self._on.set_enabled(last < total)
        if told["withheld"]:
            chip(words("audience.withheld", count(told["withheld"])), "warn", "visibility_off")
        if not found:
            empty(words("audience.no_strata"), "person_off")
            return
        heads = ("member", "arm", "score", "why", "due", "channel", "hour", "content", "benefit")
        table(
            [words(f"audience.{head}") for head in heads],
            map(self._row, found),
            right=(2,),
            keep=(1, 4, 6),
            test="package-members",
        )

    def _row(self, one: Record) -> tuple[Cell, ...]:
        words, offer = self._words, one["offer"] or {}
        hour = offer.get("hour")

        def member() -> None:
            ui.link(one["member_id"], f"/members/{part(one['member_id'])}")

        return (
            member,
            words(f"audience.{one['arm']}"),
            number(one["score"], 3),
            words.pick(offer["reason_zh"], offer["reason_en"]) if offer else UNKNOWN,
            offer.get("due_day") or UNKNOWN,
            offer.get("channel") or UNKNOWN,
            UNKNOWN if hour is None else f"{hour:02d}:00",
            words.name("format", offer["format"]) if offer.get("format") else UNKNOWN,
            words.name("benefit", offer["benefit"]) if offer else UNKNOWN,
        )
