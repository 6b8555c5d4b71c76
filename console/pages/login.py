"""The door: a name and a password."""

from nicegui import app, ui
from starlette.responses import RedirectResponse

from console.parts import box, text
from console.shell import dress, language_switch
from console.site import Site


def register(site: Site) -> None:
    """Add the pages of logging in and out."""

    @ui.page("/login")
    async def login(to: str = "/") -> RedirectResponse | None:
        inside = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
        if site.enter("/login") is not None:
            return RedirectResponse(inside)
        draw(site, inside)
        return None

    @ui.page("/logout")
    async def logout() -> RedirectResponse:
        site.log_out()
        return RedirectResponse("/login")


def draw(site: Site, to: str) -> None:
    """Draw the form. to: where whoever is let in goes."""
    words = site.words
    dress(words, words("login.title"))

    def enter() -> None:
        name, password = str(who.value or "").strip(), str(secret.value or "")
        wait = site.tries.wait(name)
        if wait > 0:
            wrong.set_text(words("login.wait", round(wait)))
        elif site.log_in(name, password):
            ui.navigate.to(to)
        else:
            wrong.set_text(words("login.wrong"))
            secret.set_value("")
            secret.run_method("focus")

    with box("login"), box("panel", "login"):
        with box("across"):
            text("span", words("shell.product"), "brand")
            box("grow")
            language_switch(site)
        text("h1", words("login.title"))
        who = ui.input(words("login.name")).props('outlined dense autofocus autocomplete="username" data-test="name"')
        secret = ui.input(words("login.password"), password=True, password_toggle_button=True).props(
            'outlined dense autocomplete="current-password" data-test="password"'
        )
        who.on("keydown.enter", enter)
        secret.on("keydown.enter", enter)
        wrong = text("div", "", "small").style("color: var(--bad); min-height: 18px")
        wrong.props('role="alert" data-test="wrong"')
        ui.button(words("login.enter"), on_click=enter).props('unelevated no-caps data-test="enter"')
        text("div", words("login.help"), "muted small")
    app.storage.client.clear()
