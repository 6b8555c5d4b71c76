"""Small pieces that pages are put together from."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

Cell = str | Callable[[], Any]
"""A cell of a table: its text, or what draws it."""


def text(tag: str, said: str, classes: str = "") -> TextElement:
    """Write a text as an HTML element of some kind."""
    return TextElement(tag=tag, text=said).classes(classes)


def box(classes: str, test: str = "") -> ui.element:
    """Make an element to draw in, which tests find by a name."""
    made = ui.element("div").classes(classes)
    return made.props(f'data-test="{test}"') if test else made


def tile(label: str, value: str, more: str = "", *, about: str = "", test: str = "", width: str = "w2") -> None:
    """Show one number large, with what it is above and what belongs to it below."""
    with box(f"panel tile {width}", test):
        with ui.element("div").classes("across"):
            text("div", label, "label")
            if about:
                hint(about)
        text("div", value, "value")
        text("div", more or "\u00a0", "muted small")


def hint(about: str) -> None:
    """Offer an explanation, by pointer and by keyboard."""
    with ui.icon("help_outline").classes("muted").props(f'tabindex="0" role="note" aria-label="{_attribute(about)}"'):
        ui.tooltip(about).style("max-width: 320px; font-size: 13px")


def chip(said: str, kind: str = "", icon: str = "") -> None:
    """Show a word as a label. kind: accent, good, warn, bad or nothing; never told by colour alone."""
    with ui.element("span").classes(f"chip {kind}"):
        if icon:
            ui.icon(icon)
        text("span", said)


def meter(share: float, about: str) -> None:
    """Show a share as a bar."""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    with ui.element("div").classes("meter").props(f'role="img" aria-label="{_attribute(about)}"'):
        ui.element("div").style(f"width: {width}")


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """List names and what belongs to each."""
    with ui.element("div").classes("facts"):
        for name, value in pairs:
            text("div", name, "k")
            text("div", value)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Sequence[int] = (),
    keep: Sequence[int] = (),
    test: str = "",
) -> None:
    """Draw a plain table. right: the columns of numbers; keep: those whose texts are not broken into lines."""
    with ui.element("div").classes("scroll-x"), ui.element("table").classes("plain") as made:
        if test:
            made.props(f'data-test="{test}"')
        with ui.element("thead"), ui.element("tr"):
            for at, head in enumerate(heads):
                text("th", head, "right" if at in right else "").props('scope="col"')
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for at, cell in enumerate(row):
                        _cell(cell, "right num" if at in right else "keep" if at in keep else "")


def chart(options: dict[str, Any], about: str, classes: str = "", test: str = "") -> ui.echart:
    """Draw a chart; about: what it shows, for those who do not see it."""
    made = ui.echart(options, renderer="svg").classes(f"chart {classes}")
    made.props(f'role="img" aria-label="{_attribute(about)}"' + (f' data-test="{test}"' if test else ""))
    return made


def _cell(cell: Cell, classes: str) -> None:
    if isinstance(cell, str):
        text("td", cell, classes)
        return
    with ui.element("td").classes(classes):
        cell()


def _attribute(said: str) -> str:
    """Make a text fit to stand in an attribute of `props`, which reads quotes and backslashes itself."""
    return said.replace("\\", "/").replace('"', "”").replace("\n", " ")
