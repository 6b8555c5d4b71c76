"""A new audience, or a new version of one: by a scenario or by a rule, with a live preview."""

import asyncio
from dataclasses import dataclass

from nicegui import ui
from starlette.responses import RedirectResponse

from console.api import ApiError, Record, part
from console.pages.alike_form import AlikeForm
from console.pages.audience_preview import Preview
from console.pages.rule_editor import RuleEditor
from console.pages.rule_leaves import SCORES, Names
from console.pages.scenario_form import ScenarioForm
from console.parts import box, hint, text
from console.shell import complain, fill, panel, shell, soon
from console.site import Site, Visit, to_login

WAYS = ("scenario", "rule", "alike")
TERMS: Record = {"hold_out": 0.1, "pressure": {"days": 14, "most": 2}, "live_days": 14}
FIRST_RULE: Record = {"all": [{"score": "churn", "min": 0.5}]}


@dataclass(frozen=True)
class Known:
    """What the page begins with. before: the audience that gets a new version; None = it is a new one."""

    names: Names
    scenarios: list[Record]
    before: Record | None


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/audiences/new")
    async def new(of: str = "") -> RedirectResponse | None:
        path = f"/audiences/new?of={part(of)}" if of else "/audiences/new"
        visit = site.enter(path)
        if visit is None:
            return to_login(path)
        with shell(visit, "audiences", visit.words("audience.new")):
            with box("title-row"):
                ui.link(visit.words("pages.audiences"), "/audiences")
                text("h1", visit.words("audience.version_of" if of else "audience.new"))
            content = box("stack", "audience-new")
            soon(lambda: fill(visit, content, lambda: _known(visit, of), lambda known: Maker(visit, known).draw()))
        return None


async def _known(visit: Visit, of: str) -> Known:
    tags, segments, vocabulary, templates = await asyncio.gather(
        *(visit.api.get(path) for path in ("/tags", "/segments", "/vocabulary", "/audiences/templates"))
    )
    before = await visit.api.get(f"/audiences/{part(of)}") if of else None
    return Known(Names.of(visit.words, tags, segments, vocabulary), templates["templates"], before)


class Maker:
    """The page's content and what is being made."""

    def __init__(self, visit: Visit, known: Known) -> None:
        self.visit, self.words, self.known = visit, visit.words, known
        self.way = "scenario"
        self.by: str | None = None

    def draw(self) -> None:
        """Draw it all."""
        with box("grid"):
            with box("stack w7"):
                with panel(test="definition"):
                    self._definition()
                with panel(self.words("audience.terms"), test="terms"):
                    self._terms()
            with box("stack w5"):
                self.preview = Preview(self.visit, self.known.names.tags, self.spec, self._blame, self._forgive)
        self._begin()

    def spec(self) -> Record | None:
        """Return what is asked by; None = it is not whole yet."""
        if self.way == "scenario":
            return self.form.spec
        if self.way == "alike":
            return self.alike.spec
        spec: Record = {"rule": self.editor.rule}
        return spec | {"by": {"score": self.by}} if self.by else spec

    def _definition(self) -> None:
        words = self.words
        with ui.tabs().props("align=left dense no-caps breakpoint=0") as tabs:
            made = {way: ui.tab(way, label=words(f"audience.by_{way}")).props(f'data-test="by-{way}"') for way in WAYS}
        self.panels = ui.tab_panels(tabs, value=made["scenario"], animated=False)
        with self.panels:
            with ui.tab_panel(made["scenario"]).classes("stack"):
                self.form = ScenarioForm(self.known.names, self.known.scenarios, self._changed)
            with ui.tab_panel(made["rule"]).classes("stack"):
                self.editor = RuleEditor(self.known.names, self._changed)
                with box("across"):
                    orders = {"": words("audience.order_rule")} | {
                        task: words.name("score", task) for task in SCORES[:4]
                    }
                    order = ui.select(
                        orders,
                        value="",
                        label=words("audience.order"),
                        on_change=lambda event: self._order(event.value),
                    )
                    order.props('outlined dense data-test="order"').style("width: 280px")
                    hint(words("audience.order_about"))
                    ui.button(words("audience.as_rule"), icon="content_copy", on_click=self._as_rule).props(
                        "flat dense no-caps"
                    )
            with ui.tab_panel(made["alike"]).classes("stack"):
                self.alike = AlikeForm(words, self._changed)
        self.panels.on_value_change(lambda event: self._turn(str(event.value)))

    def _terms(self) -> None:
        words, before = self.words, self.known.before
        terms: Record = before["versions"][0]["asked"] if before else TERMS
        pressure = terms["pressure"]
        with box("across wide"):
            self.name = ui.input(words("audience.name"), value=before["name"] if before else "")
            self.name.props('outlined dense data-test="audience-name"').style("width: 280px").set_enabled(
                before is None
            )
            self.hold_out = ui.number(
                words("audience.hold_out"), value=round(100 * terms["hold_out"], 1), min=0, max=50, step=1
            )
            self.hold_out.props('outlined dense suffix="%" data-test="hold-out"').style("width: 120px")
            self.live_days = ui.number(
                words("audience.live_days"), value=terms["live_days"], min=1, max=400, precision=0
            )
            self.live_days.props('outlined dense data-test="live-days"').style("width: 120px")
        with box("across wide"):
            self.capped = ui.checkbox(words("audience.capped"), value=pressure is not None)
            self.most = ui.number(words("audience.most"), value=(pressure or {"most": 2})["most"], min=1, precision=0)
            self.within = ui.number(
                words("audience.pressure_days"), value=(pressure or {"days": 14})["days"], min=1, precision=0
            )
            for field in (self.most, self.within):
                field.props("outlined dense").style("width: 140px")
                field.bind_enabled_from(self.capped, "value")
            hint(words("audience.terms_about"))
        with box("across"):
            box("grow")
            self.button = ui.button(words("audience.create"), icon="check", on_click=self._create)
            self.button.props('unelevated no-caps data-test="create"')

    def _begin(self) -> None:
        spec = self.known.before["versions"][0]["asked"]["spec"] if self.known.before else {}
        if "rule" in spec:
            self.by = (spec.get("by") or {}).get("score")
            self.editor.take(spec["rule"])
            self.panels.set_value("rule")
        else:
            self.editor.take(FIRST_RULE)
            if "template" in spec:
                self.form.take(spec["template"], spec["answers"])
            if "lookalike" in spec:
                self.alike.take(spec["lookalike"])
                self.panels.set_value("alike")
        self.preview.again()
        self.preview.threshold = spec.get("threshold")

    def _changed(self) -> None:
        if hasattr(self, "preview"):
            self.preview.again()

    def _turn(self, way: str) -> None:
        self.way = way
        self._changed()

    def _order(self, task: str) -> None:
        self.by = task or None
        self._changed()

    async def _as_rule(self) -> None:
        """Go on editing, as a rule, what the scenario amounts to."""
        spec = self.form.spec
        if spec is None:
            ui.notify(self.words("audience.no_scenario"), position="top")
            return
        try:
            told = await self.visit.api.post("/audiences/preview", spec | {"sample": 0})
        except ApiError as error:
            complain(self.visit, error)
            return
        self.editor.take(told["rule"])

    def _blame(self, field: str, rule: str) -> bool:
        if self.way == "alike":
            return False
        return self.form.blame(field, rule) if self.way == "scenario" else self.editor.blame(field, rule)

    def _forgive(self) -> None:
        self.form.forgive()
        self.editor.forgive()

    async def _create(self) -> None:
        words, before, asked = self.words, self.known.before, self.preview.asked()
        if asked is None:
            ui.notify(words("preview.not_whole"), type="warning", position="top")
            return
        if before is None and not str(self.name.value or "").strip():
            self.name.props(f'error error-message="{words("audience.name_needed")}"')
            return
        pressure = (
            {"days": int(self.within.value or 14), "most": int(self.most.value or 2)} if self.capped.value else None
        )
        terms = {
            "hold_out": (self.hold_out.value or 0) / 100,
            "pressure": pressure,
            "live_days": int(self.live_days.value or 14),
        }
        owner = {"audience_id": before["audience_id"]} if before else {"name": str(self.name.value).strip()}
        self.button.props("loading")
        try:
            made = await self.visit.api.post("/audiences", {**owner, **asked, **terms}, long=True)
        except ApiError as error:
            complain(self.visit, error)
            return
        finally:
            self.button.props(remove="loading")
        ui.navigate.to(f"/audiences/{part(made['audience_id'])}")
