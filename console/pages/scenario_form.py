"""The scenario wizard: choose what it is about, then answer questions in plain words."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from console.api import Record
from console.pages.rule_leaves import Names
from console.parts import box, text


class ScenarioForm:
    """Draws the scenarios and the questions of the chosen one. changed: is called after every change."""

    def __init__(self, names: Names, scenarios: list[Record], changed: Callable[[], None]) -> None:
        self.template: str | None = None
        self.answers: Record = {}
        self._names, self._words, self._changed = names, names.words, changed
        self._scenarios = {one["template"]: one for one in scenarios}
        self._fields: dict[str, ui.element] = {}
        with box("grid"):
            self._buttons = {name: self._button(one) for name, one in self._scenarios.items()}
        self._place = box("stack", "questions")

    @property
    def spec(self) -> Record | None:
        """What is asked by; None = no scenario is chosen, or a question without a default is open."""
        if self.template is None:
            return None
        open_ones = (
            one["default"] is None and not self.answers.get(one["name"])
            for one in self._scenarios[self.template]["questions"]
        )
        return None if any(open_ones) else {"template": self.template, "answers": self.answers}

    def take(self, template: str, answers: Record) -> None:
        """Go on from answers that were given before."""
        self.template, self.answers = template, dict(answers)
        for name, button in self._buttons.items():
            button.classes(add="here" if name == template else "", remove="" if name == template else "here")
            button.props(f'aria-pressed="{"true" if name == template else "false"}"')
        self._draw()
        self._changed()

    def blame(self, field: str, rule: str) -> bool:
        """Show at a question what its answer must be; False when the error speaks of something else."""
        self.forgive()
        name = field.removeprefix("answers.").partition(".")[0]
        if not field.startswith("answers.") or name not in self._fields:
            return False
        self._fields[name].props(f'error error-message="{rule.replace(chr(34), "”")}"')
        return True

    def forgive(self) -> None:
        """Take away what `blame` showed."""
        for field in self._fields.values():
            field.props(remove="error error-message")

    def _button(self, scenario: Record) -> ui.element:
        words = self._words
        button = (
            ui.element("button").classes("pick w6").props(f'type="button" data-test="scenario-{scenario["template"]}"')
        )
        with button:
            text("div", words.told(scenario), "strong")
            text("div", words.pick(scenario["about_zh"], scenario["about_en"]), "muted small")
        button.on("click", lambda: self.take(scenario["template"], {}))
        return button

    def _draw(self) -> None:
        self._place.clear()
        self._fields.clear()
        with self._place:
            for question in self._scenarios[str(self.template)]["questions"]:
                with box("down"):
                    text("div", self._words.told(question), "strong")
                    self._fields[question["name"]] = self._field(question)

    def _field(self, question: Record) -> ui.element:
        """Draw the field of a question by what its answer is."""
        words, name = self._words, question["name"]
        held = self.answers.get(name, question["default"])
        test = f'data-test="answer-{name}"'

        def put(event: Any) -> None:
            self._put(name, event.value)

        match question["kind"]:
            case "categories":
                offered = {one: one for one in self._names.vocabulary["categories"]}
                field: ui.element = ui.select(
                    offered, value=list(held or ()), multiple=True, with_input=True, clearable=True, on_change=put
                )
                return field.props(f"outlined dense use-chips options-dense {test}").style("max-width: 520px")
            case "product":
                offered = self._names.launches | ({held: held} if held and held not in self._names.launches else {})
                field = ui.select(
                    offered,
                    value=held,
                    with_input=True,
                    clearable=True,
                    new_value_mode="add-unique",
                    key_generator=lambda typed: typed,
                    on_change=put,
                )
                return field.props(f"outlined dense options-dense {test}").style("max-width: 520px")
            case "choice":
                offered = {one["value"]: words.told(one) for one in question["choices"]}
                return ui.toggle(offered, value=held, on_change=put).props(f"dense no-caps unelevated {test}")
            case _:
                whole = question["kind"] == "days"

                def put_number(event: Any) -> None:
                    value = event.value
                    self._put(name, value if value is None else int(value) if whole else float(value))

                field = ui.number(
                    value=held,
                    min=question["low"],
                    max=question["high"],
                    step=1 if whole else 0.05,
                    precision=0 if whole else None,
                    on_change=put_number,
                )
                return field.props(f"outlined dense {test}").style("width: 140px")

    def _put(self, name: str, value: Any) -> None:
        if value is None or value == []:
            self.answers.pop(name, None)
        else:
            self.answers[name] = value
        self._changed()
