"""The people who may log in: a password each, kept as a salted hash, and the key that the service knows them by."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from console.settings import private

SHORTEST = 8
COST = 2**14


class PersonError(Exception):
    """A person cannot be added or found; the text says why."""


@dataclass(frozen=True)
class Person:
    """Somebody who may log in.

    salt, digest: of the password, by scrypt, in base64. key: shown to the service; empty = the service has no keys.
    """

    name: str
    salt: str
    digest: str
    key: str


class People:
    """The file of people; read anew at every question, so that a change holds at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> tuple[str, ...]:
        """List the people."""
        return tuple(self._read())

    def find(self, name: str) -> Person | None:
        """Return a person."""
        return self._read().get(name)

    def put(self, name: str, password: str, key: str) -> None:
        """Add a person, or give one another password and key."""
        if not name.strip() or not name.isprintable():
            raise PersonError("a name is needed")
        if len(password) < SHORTEST:
            raise PersonError(f"a password has at least {SHORTEST} characters")
        salt = secrets.token_bytes(16)
        person = Person(name, _text(salt), _text(_hash(password, salt)), key)
        self._write({**self._read(), name: person})

    def remove(self, name: str) -> None:
        """Let a person log in no more; who is logged in is out at the next page."""
        people = self._read()
        if name not in people:
            raise PersonError(f"{name!r} is nobody who may log in")
        self._write({other: person for other, person in people.items() if other != name})

    def check(self, name: str, password: str) -> Person | None:
        """Return the person whose name and password these are; takes as long whether there is such a person or not."""
        person = self._read().get(name)
        salt = base64.b64decode(person.salt) if person else bytes(16)
        digest = _hash(password, salt)
        right = person is not None and hmac.compare_digest(digest, base64.b64decode(person.digest))
        return person if right else None

    def _read(self) -> dict[str, Person]:
        try:
            people = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {person["name"]: Person(**person) for person in people}

    def _write(self, people: dict[str, Person]) -> None:
        private(self._path, json.dumps([asdict(person) for person in people.values()], ensure_ascii=False, indent=1))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=8, p=1)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
