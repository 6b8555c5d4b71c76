"""Members like those of a list: the list, and how many more are wanted."""

import re
from collections.abc import Callable

from nicegui import ui

from console.api import Record
from console.parts import text
from console.words import Words

APART = re.compile(r"[\s,;，；]+")
SIZE = 1000


class AlikeForm:
    """Draws the form. changed: is called after every change."""

    def __init__(self, words: Words, changed: Callable[[], None]) -> None:
        text("div", words("alike.about"), "muted small")
        about = words("alike.list")
        text("div", about, "strong")
        self._list = ui.textarea(on_change=changed).classes("w-full").style("width: 100%")
        self._list.props(f'outlined dense debounce="500" aria-label="{about}" data-test="seeds"')
        self._size = ui.number(words("alike.size"), value=SIZE, min=1, precision=0, on_change=changed)
        self._size.props('outlined dense data-test="alike-size"').style("width: 160px")
        self._seeds = ui.checkbox(words("alike.with_seeds"), on_change=changed)

    @property
    def spec(self) -> Record | None:
        """What is asked by; None = there is no list yet."""
        members = [one for one in dict.fromkeys(APART.split(str(self._list.value or ""))) if one]
        if not members or not self._size.value:
            return None
        wanted = {"members": members, "size": int(self._size.value), "with_seeds": bool(self._seeds.value)}
        return {"lookalike": wanted}

    def take(self, wanted: Record) -> None:
        """Go on from a list that was given before."""
        self._list.set_value("\n".join(wanted["members"]))
        self._size.set_value(wanted["size"])
        self._seeds.set_value(wanted["with_seeds"])
