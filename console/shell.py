"""What every page has around it: navigation, the switch of language, who is logged in; and its three states."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from nicegui import ui

from console.api import ApiError, KeyLostError
from console.parts import box, text
from console.site import Site, Visit
from console.words import Words

Told = TypeVar("Told")

PAGES = (
    ("overview", "/", "dashboard"),
    ("member", "/members", "person_search"),
    ("audiences", "/audiences", "groups"),
    ("segments", "/segments", "donut_large"),
    ("placements", "/placements", "view_quilt"),
    ("models", "/models", "insights"),
)
"""The pages in the order of the navigation: name, path, icon."""


def dress(words: Words, title: str) -> None:
    """Give a page its language, title and style."""
    ui.page_title(f"{title} · {words('shell.product')}")
    ui.add_head_html('<link rel="stylesheet" href="/static/console.css">')
    ui.query("html").props(f'lang="{"zh-CN" if words.language == "zh" else "en"}"')
    ui.colors(primary="#0a5a9c", secondary="#566573", positive="#00694d", negative="#a63a00", warning="#8a5200")


@contextmanager
def shell(visit: Visit, page: str, title: str = "") -> Iterator[None]:
    """Draw the frame of a page around what the block makes."""
    words = visit.words
    title = title or words(f"pages.{page}")
    dress(words, title)
    ui.link(words("shell.skip"), "#main").classes("skip")
    with box("shell"):
        with ui.element("header").classes("top"):
            ui.link(words("shell.product"), "/").classes("brand")
            ui.element("div").classes("grow")
            language_switch(visit.site)
            _person(visit)
        navigation = ui.element("nav").classes("side").props(f'aria-label="{words("shell.navigation")}"')
        with navigation, box("pages"):
            for name, path, icon in PAGES:
                _entry(words, name, path, icon, here=name == page)
        with ui.element("main").classes("main").props('id="main" tabindex="-1"'):
            yield


def language_switch(site: Site) -> None:
    """Draw the switch of language, which loads the page anew."""
    words = site.words

    def switch() -> None:
        site.switch(words.other)
        ui.navigate.reload()

    ui.button(words("shell.switch"), on_click=switch, icon="translate").props(
        f'flat dense no-caps data-test="language" aria-label="{words("shell.switch_about")}"'
    )


@contextmanager
def panel(title: str = "", *, width: str = "w12", test: str = "") -> Iterator[None]:
    """Draw a white box with a title around what the block makes."""
    made = ui.element("section").classes(f"panel {width}")
    if test:
        made.props(f'data-test="{test}"')
    with made:
        if title:
            with box("panel-head"):
                text("h2", title)
        yield


def bones(*, tall: bool = False) -> None:
    """Draw what stands where something will."""
    with box("down").props('aria-busy="true" data-test="loading"'):
        for _ in range(1 if tall else 3):
            ui.element("div").classes("bone tall" if tall else "bone")


def empty(said: str, icon: str = "inbox") -> None:
    """Say that there is nothing."""
    with box("state", "empty"):
        ui.icon(icon)
        ui.label(said)


def trouble(visit: Visit, error: ApiError, again: Callable[[], Awaitable[None]] | None = None) -> None:
    """Say what went wrong and what can be done about it."""
    words = visit.words
    kind = error.kind
    with box("state trouble").props(f'role="alert" data-test="trouble-{kind}"'):
        ui.icon("error_outline")
        ui.label(words(f"trouble.{kind}")).classes("strong")
        ui.label(words(f"trouble.{kind}_more"))
        if error.more:
            text("div", error.more, "small num").props('lang="en" data-test="said"')
        with box("across"):
            if again is not None:
                ui.button(words("trouble.again"), icon="refresh", on_click=again).props("outline dense no-caps")
            if isinstance(error, KeyLostError):
                ui.button(words("shell.log_out"), icon="logout", on_click=lambda: ui.navigate.to("/logout")).props(
                    "flat dense no-caps"
                )


async def fill(
    visit: Visit,
    place: ui.element,
    ask: Callable[[], Awaitable[Told]],
    show: Callable[[Told], None],
    *,
    tall: bool = True,
) -> None:
    """Ask the service for what a place shows: bones while it works, the thing itself, or what went wrong."""
    place.clear()
    with place:
        bones(tall=tall)
    try:
        told = await ask()
    except ApiError as error:
        place.clear()
        with place:
            trouble(visit, error, lambda: fill(visit, place, ask, show, tall=tall))
        return
    place.clear()
    with place:
        show(told)


def soon(work: Callable[[], Awaitable[None]]) -> None:
    """Do something as soon as the page stands in the browser."""
    ui.timer(0, work, once=True)


def complain(visit: Visit, error: ApiError) -> None:
    """Say in passing what went wrong."""
    kind, more = error.kind, error.more
    said = f"{visit.words(f'trouble.{kind}')}: {more}" if more else visit.words(f"trouble.{kind}")
    ui.notify(said, type="negative", position="top", timeout=8000)


def _entry(words: Words, name: str, path: str, icon: str, *, here: bool) -> None:
    name_told = words(f"pages.{name}")
    link = ui.link(target=path).classes("here" if here else "")
    link.props(f'data-test="nav-{name}" aria-label="{name_told}"' + (' aria-current="page"' if here else ""))
    with link:
        ui.icon(icon)
        text("span", name_told)


def _person(visit: Visit) -> None:
    words = visit.words
    with ui.button(visit.person.name, icon="account_circle").props('flat dense no-caps data-test="person"'), ui.menu():
        ui.menu_item(words("shell.log_out"), on_click=lambda: ui.navigate.to("/logout")).props('data-test="log-out"')
