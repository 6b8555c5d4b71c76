"""Keys of the service, from the command line."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from recsys.core.config import Home
from recsys.core.errors import RequestError
from recsys.store.database import database
from recsys.store.keys import Key, Role, all_keys, create_key, revoke_key
from training.screen import Screen


def run_create(home: Home, screen: Screen, name: str, role: str, per_second: float | None, days: float | None) -> None:
    """Make a key and show it, the only time that it can be shown. days: that it lasts; None = until it is revoked."""
    if role not in set(Role):
        raise RequestError("role", f"is none of {', '.join(Role)}")
    lasts = None if days is None else timedelta(days=days)
    with _opened(home) as engine:
        key, text = create_key(engine, name, Role(role), per_second=per_second, at=datetime.now(UTC), lasts=lasts)
    screen.note(f"made key {key.key_id} of role {key.role} for {key.name}; it is shown this once:")
    screen.say(text)


def run_list(home: Home, screen: Screen) -> None:
    """List all keys, without their secrets."""
    with _opened(home) as engine:
        keys = all_keys(engine)
    for key in keys:
        screen.say(_line(key))
    if not keys:
        screen.note("there are no keys: the service answers callers on its own machine only, and lets them do all")


def run_revoke(home: Home, screen: Screen, key_id: str) -> None:
    """Revoke a key; running services refuse it within two seconds."""
    with _opened(home) as engine:
        key = revoke_key(engine, key_id, datetime.now(UTC))
    screen.note(_line(key))


def _opened(home: Home) -> AbstractContextManager[Engine]:
    return database(home.database)


def _line(key: Key) -> str:
    rate = "no limit" if key.per_second is None else f"{key.per_second:g} a second and worker"
    standing = "stands" if key.expires_at is None else f"until {key.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if key.revoked_at is not None:
        standing = f"revoked {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{key.key_id}  {key.role:<5}  {rate:<26}  made {key.created_at:%Y-%m-%d}  {standing}  {key.name}"
