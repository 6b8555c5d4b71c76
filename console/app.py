"""The web app: every page, registered on one site."""

from pathlib import Path

import httpx
from nicegui import app, ui

from console.pages import (
    audience,
    audience_new,
    audiences,
    audit,
    card,
    login,
    member,
    models,
    overview,
    placements,
    segments,
)
from console.people import People
from console.settings import Settings
from console.site import Site
from console.words import read_catalogue

PAGES = (login, overview, member, card, audiences, audience_new, audience, audit, segments, placements, models)


CONNECTS = 1
"""So many times more a connection is tried before the service counts as away."""


def run(settings: Settings) -> None:
    """Serve the console until it is ended."""
    site = Site(
        settings,
        read_catalogue(),
        People(settings.folder / "people.json"),
        httpx.AsyncClient(base_url=settings.api, trust_env=False, transport=httpx.AsyncHTTPTransport(retries=CONNECTS)),
    )
    app.add_static_files("/static", Path(__file__).with_name("static"))

    @app.get("/livez")
    def live() -> dict[str, str]:
        return {"api": settings.api}

    for page in PAGES:
        page.register(site)
    app.on_shutdown(site.client.aclose)
    ui.run(
        host=settings.host,
        port=settings.port,
        title="recsys",
        favicon="📈",
        show=False,
        reload=False,
        tailwind=False,
        storage_secret=settings.secret(),
        session_middleware_kwargs={"same_site": "lax", "max_age": 14 * 24 * 3600},
        show_welcome_message=False,
    )
