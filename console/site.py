"""The console as a whole: what all pages share, and who is at a page."""

import time
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from nicegui import app
from starlette.responses import RedirectResponse

from console.api import Api
from console.people import People, Person
from console.settings import Settings
from console.transfers import Transfers
from console.words import Catalogue, Language, Words

SESSION_SECONDS = 12 * 3600.0
TRIES = 5
WAIT_SECONDS = 30.0
MAX_NAMES = 10_000


@dataclass(frozen=True)
class Visit:
    """A person at a page. path: of the page."""

    site: "Site"
    person: Person
    api: Api
    words: Words
    path: str


@dataclass
class Tries:
    """Counts wrong passwords by name, and makes who was wrong too often wait."""

    _wrong: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait(self, name: str) -> float:
        """Return for how many seconds no password of a name is looked at."""
        n, since = self._wrong.get(name, (0, 0.0))
        return max(0.0, since + WAIT_SECONDS - time.monotonic()) if n >= TRIES else 0.0

    def wrong(self, name: str) -> None:
        """Note a wrong password."""
        if len(self._wrong) >= MAX_NAMES:
            self._wrong.clear()
        self._wrong[name] = (self._wrong.get(name, (0, 0.0))[0] + 1, time.monotonic())

    def right(self, name: str) -> None:
        """Note a right one."""
        self._wrong.pop(name, None)


@dataclass
class Site:
    """What all pages share."""

    settings: Settings
    catalogue: Catalogue
    people: People
    client: httpx.AsyncClient
    tries: Tries = field(default_factory=Tries)
    transfers: Transfers = field(default_factory=Transfers)

    @property
    def words(self) -> Words:
        """The catalogue in the language of this browser."""
        return Words(self.language, self.catalogue)

    @property
    def language(self) -> Language:
        """The language that was chosen in this browser."""
        return "en" if app.storage.user.get("language") == "en" else "zh"

    def switch(self, language: Language) -> None:
        """Remember a language for this browser."""
        app.storage.user["language"] = language

    def enter(self, path: str) -> Visit | None:
        """Return who is at a page; None = nobody is logged in, or was too long ago."""
        name, at = app.storage.user.get("name"), app.storage.user.get("at", 0.0)
        person = self.people.find(name) if name else None
        if person is None or time.time() - at > SESSION_SECONDS or app.storage.user.get("salt") != person.salt:
            return None
        return Visit(self, person, Api(self.client, person.key), self.words, path)

    def log_in(self, name: str, password: str) -> bool:
        """Let a person in; the password's salt is kept, so that another password ends all sessions."""
        person = self.people.check(name, password)
        if person is None:
            self.tries.wrong(name)
            return False
        self.tries.right(name)
        app.storage.user.update(name=person.name, at=time.time(), salt=person.salt)
        return True

    def log_out(self) -> None:
        """Forget who is here."""
        for name in ("name", "at", "salt"):
            app.storage.user.pop(name, None)


def to_login(path: str) -> RedirectResponse:
    """Send whoever is not logged in to the door, and back afterwards."""
    return RedirectResponse(f"/login?to={quote(path, safe='')}")
