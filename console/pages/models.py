"""The models: their versions, how champion and challenger did, and promotion for those who may."""

import asyncio

from nicegui import ui
from starlette.responses import RedirectResponse

from console import charts
from console.api import ApiError, Record, part
from console.parts import Cell, box, chart, chip, facts, table, text
from console.shell import complain, empty, fill, panel, shell, soon
from console.site import Site, Visit, to_login
from console.words import UNKNOWN, Words, count, number

ALIASES = ("champion", "challenger")


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/models")
    async def models(task: str = "") -> RedirectResponse | None:
        visit = site.enter("/models")
        if visit is None:
            return to_login("/models")
        with shell(visit, "models"):
            with box("title-row"):
                text("h1", visit.words("pages.models"))
                box("grow")
                if site.settings.mlflow:
                    ui.link(visit.words("models.mlflow"), site.settings.mlflow, new_tab=True)
            Models(visit, task)
        return None


class Models:
    """The page's content, which a promotion draws anew. task: the one that is shown."""

    def __init__(self, visit: Visit, task: str) -> None:
        self.visit, self.task = visit, task
        self.content = box("stack", "models")
        soon(self.load)

    async def load(self) -> None:
        """Ask the service and draw."""
        await fill(self.visit, self.content, self._ask, lambda told: self._show(*told))

    async def _ask(self) -> tuple[Record, Record]:
        told, who = await asyncio.gather(self.visit.api.get("/models"), self.visit.api.get("/whoami"))
        return told, who

    def _show(self, told: Record, who: Record) -> None:
        words, models = self.visit.words, [one for one in told["models"] if one["shelf"]["versions"]]
        if not models:
            with panel():
                empty(words("models.none"), "model_training")
            return
        names = [one["shelf"]["task"] for one in models]
        self.task = self.task if self.task in names else names[0]
        with ui.tabs().props("align=left dense no-caps breakpoint=0") as tabs:
            for name in names:
                ui.tab(name, label=words.name("task", name)).props(f'data-test="task-{name}"')
        with ui.tab_panels(
            tabs, value=self.task, on_change=lambda event: self._choose(str(event.value)), animated=False
        ):
            for model in models:
                with ui.tab_panel(model["shelf"]["task"]).classes("grid"):
                    self._model(model, may=who["role"] == "admin")

    def _choose(self, task: str) -> None:
        self.task = task

    def _model(self, model: Record, *, may: bool) -> None:
        words, shelf = self.visit.words, model["shelf"]
        found = {alias: _with(shelf, alias) for alias in ALIASES}
        self._standing(model, found, may=may)
        judged = {words(f"models.{alias}"): one["judged"] for alias, one in found.items() if one and one["judged"]}
        with panel(words("models.side_by_side"), width="w6", test="side-by-side"):
            _metrics(words, shelf, judged)
        with panel(words("models.calibration"), width="w6", test="calibration"):
            curves = {name: one["reliability"] for name, one in judged.items() if one["reliability"]}
            if curves:
                told = (words("models.predicted"), words("models.observed"), words("models.perfect"))
                chart(charts.calibration(curves, *told), words("models.calibration_about"), "high")
            else:
                empty(words("models.no_calibration"), "show_chart")
        with panel(words("models.gain"), width="w6", test="gain"):
            gains = {name: one["gain"] for name, one in judged.items() if one["gain"]}
            if gains:
                told = (words("models.taken"), words("models.reached"), words("models.chance"))
                chart(charts.gain(gains, *told), words("models.gain_about"), "high")
            else:
                empty(words("models.no_gain"), "show_chart")
        with box("stack w6"):
            with panel(words("models.versions"), test="versions"):
                _versions(self.visit, model)
            with panel(words("models.ledger"), test="ledger"):
                _ledger(words, shelf["ledger"])

    def _standing(self, model: Record, found: dict[str, Record | None], *, may: bool) -> None:
        words, shelf = self.visit.words, model["shelf"]
        challenger, champion = found["challenger"], found["champion"]
        with panel(width="w12", test="standing"), box("across row wide"):
            for alias, one in found.items():
                with box("down tight"):
                    text("span", words(f"models.{alias}"), "muted small")
                    text("span", words("overview.version", one["version"]) if one else UNKNOWN, "strong")
            with box("down tight"):
                text("span", words("models.published"), "muted small")
                text("span", words("overview.version", model["published"]) if model["published"] else UNKNOWN, "strong")
            if champion and model["published"] != champion["version"]:
                chip(words("models.to_publish"), "warn", "publish")
            with box("fill"):
                if challenger and challenger["gate"]:
                    _gate(words, challenger["gate"])
            if not may:
                text("span", words("models.admins"), "muted small")
                return
            promotable, refused = challenger is not None, challenger and not (challenger["gate"] or {}).get("passed")
            ui.button(
                words("models.promote"),
                icon="upgrade",
                on_click=lambda: self._confirm("promote", shelf["task"], force=bool(refused)),
            ).props('unelevated no-caps data-test="promote"').set_enabled(promotable)
            ui.button(
                words("models.roll_back"),
                icon="undo",
                on_click=lambda: self._confirm("rollback", shelf["task"], force=False),
            ).props('outline no-caps data-test="roll-back"').set_enabled(_standing_champions(shelf) > 1)

    def _confirm(self, action: str, task: str, *, force: bool) -> None:
        """Ask for the reason, then have it done."""
        words = self.visit.words
        with ui.dialog() as dialog, box("panel", "confirm"):
            text("h2", words(f"models.{action}_title", words.name("task", task)))
            text("div", words(f"models.{action}_about"), "muted")
            if force:
                chip(words("models.against_gate"), "warn", "warning")
            why = ui.input(words("models.why")).props('outlined dense autofocus data-test="why"')
            with box("across"):
                box("grow")
                ui.button(words("shell.cancel"), on_click=dialog.close).props("flat no-caps")
                sure = ui.button(words(f"models.{action}_sure")).props('unelevated no-caps data-test="sure"')

        async def done() -> None:
            reason = str(why.value or "").strip()
            if not reason:
                why.props(f'error error-message="{words("models.why_needed")}"')
                return
            sure.props("loading")
            try:
                body = {"why": reason, "force": True} if force else {"why": reason}
                await self.visit.api.post(f"/models/{part(task)}/{action}", body, long=True)
            except ApiError as error:
                complain(self.visit, error)
                return
            finally:
                dialog.close()
            ui.notify(words("models.done"), type="positive", position="top")
            await self.load()

        sure.on_click(done)
        why.on("keydown.enter", done)
        dialog.open()


def _with(shelf: Record, alias: str) -> Record | None:
    return next((one for one in shelf["versions"] if alias in one["aliases"]), None)


def _standing_champions(shelf: Record) -> int:
    """Count the champions that a rollback could go through: a promotion adds one, a rollback takes one."""
    return sum(1 if line["action"] == "promote" else -1 for line in shelf["ledger"])


def _gate(words: Words, gate: Record) -> None:
    with box("across"):
        if gate["passed"]:
            chip(words("models.gate_passed"), "good", "check")
        else:
            chip(words("models.gate_refused"), "bad", "block")
        text("span", words.pick(gate["reason_zh"] or gate["reason"], gate["reason"]), "small muted")


def _metrics(words: Words, shelf: Record, judged: dict[str, Record]) -> None:
    if not judged:
        empty(words("models.not_judged"), "assessment")
        return
    deciding = shelf["metric"]
    names = list(dict.fromkeys(metric for one in judged.values() for metric in one["metrics"]))
    names.sort(key=lambda name: name != deciding)
    rows = [
        (
            f"{words.name('metric', name)}{' ★' if name == deciding else ''}",
            *(_interval(one["metrics"].get(name)) for one in judged.values()),
        )
        for name in names
    ]
    table([words("models.metric"), *judged], rows, right=tuple(range(1, len(judged) + 1)), test="metrics")
    first = next(iter(judged.values()))
    text("div", words("models.deciding"), "muted small")
    facts(
        (
            (words("models.predicts"), _predicts(words, shelf, first)),
            (words("models.tested_on"), ", ".join(first["tests"])),
            (words("models.rows"), count(first["rows"])),
        )
    )


def _predicts(words: Words, shelf: Record, judged: Record) -> str:
    """Say what the scores are; of a task that the catalogue does not know, in the service's words."""
    if f"predicts.{shelf['task']}" in words.catalogue:
        return words(f"predicts.{shelf['task']}", shelf["horizon"])
    return str(judged["predicts"])


def _interval(told: Record | None) -> str:
    if told is None or told["value"] is None:
        return UNKNOWN
    return f"{number(told['value'], 4)}  [{number(told['low'], 4)}, {number(told['high'], 4)}]"


def _versions(visit: Visit, model: Record) -> None:
    words, shelf = visit.words, model["shelf"]

    def row(one: Record) -> tuple[Cell, ...]:
        def aliases() -> None:
            with box("across"):
                for alias in one["aliases"]:
                    chip(words.name("models", alias), "accent" if alias == "champion" else "warn")
                if one["version"] == model["published"]:
                    chip(words("models.published"), "good")

        def version() -> None:
            link = f"{visit.site.settings.mlflow}/#/models/{shelf['task']}/versions/{one['version']}"
            if visit.site.settings.mlflow:
                ui.link(one["version"], link, new_tab=True)
            else:
                text("span", one["version"])

        return version, aliases, one["made_at"][:10], one["trained_to"] or UNKNOWN, number(one["value"], 4)

    heads = [words(f"models.{name}") for name in ("version", "standing", "made", "trained_to")]
    with box("scrolls"):
        table([*heads, words.name("metric", shelf["metric"])], map(row, shelf["versions"]), right=(4,), keep=(2, 3))


def _ledger(words: Words, lines: list[Record]) -> None:
    if not lines:
        empty(words("models.no_ledger"), "history")
        return
    rows = [
        (
            words.moment(one["at"]),
            words(f"models.{one['action']}_did"),
            one["version"],
            one["who"],
            (words("models.forced") + " " if one["forced"] else "") + words.name("ledger", one["why"] or UNKNOWN),
        )
        for one in lines
    ]
    table([words(f"models.{name}") for name in ("when", "what", "version", "who", "why")], rows, test="ledger-lines")
