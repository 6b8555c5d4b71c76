"""Keys that callers of the service show: stored as digests, with a role and a rate, never deleted, only revoked."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from sqlalchemy import Engine, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from recsys.core.errors import RequestError
from recsys.store.database import Base

PREFIX = "rk"


class Role(StrEnum):
    """What a key may do; each may do what those before it may."""

    MALL = "mall"
    OPS = "ops"
    ADMIN = "admin"

    def covers(self, needed: Self) -> bool:
        """Whether a key of this role may call what needs the other."""
        return _ORDER[self] >= _ORDER[needed]


_ORDER = {role: place for place, role in enumerate(Role)}


class KeyRow(Base):
    """A key as it is stored; the times are UTC without a zone."""

    __tablename__ = "keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    per_second: Mapped[float | None]
    digest: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret.

    key_id: the part of the key that may be told. name: whose it is, in the operator's words.
    per_second: requests a second that one worker lets through; None = no limit.
    digest: SHA-256 of the secret, in hexadecimal. The secret is 32 random bytes, so a slow hash would add nothing.
    revoked_at: None = it was not. expires_at: from then on it opens nothing; None = it lasts until it is revoked.
    """

    key_id: str
    name: str
    role: Role
    per_second: float | None
    digest: str
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None

    def stands(self, at: datetime) -> bool:
        """Whether it was neither revoked nor has expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def opens(self, secret: str) -> bool:
        """Whether the secret is this key's; takes as long whether it is or not."""
        return hmac.compare_digest(_digest(secret), self.digest)


def create_key(
    engine: Engine,
    name: str,
    role: Role,
    *,
    per_second: float | None,
    at: datetime,
    lasts: timedelta | None = None,
) -> tuple[Key, str]:
    """Store a new key; return it and the text to show with requests, which cannot be told again.

    lasts: from `at` on; None = until it is revoked.
    """
    if per_second is not None and not per_second > 0:
        raise RequestError("rate", "must be above 0")
    if not name.strip():
        raise RequestError("name", "must not be empty")
    if lasts is not None and not lasts > timedelta(0):
        raise RequestError("days", "must be above 0")
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    key = Key(key_id, name, role, per_second, _digest(secret), at, None, None if lasts is None else at + lasts)
    with Session(engine) as session, session.begin():
        session.add(
            KeyRow(
                key_id=key_id,
                name=name,
                role=str(role),
                per_second=per_second,
                digest=key.digest,
                created_at=_naive(at),
                revoked_at=None,
                expires_at=None if key.expires_at is None else _naive(key.expires_at),
            )
        )
    return key, f"{PREFIX}_{key_id}_{secret}"


def all_keys(engine: Engine) -> tuple[Key, ...]:
    """Return every key that was ever made, the oldest first."""
    with Session(engine) as session:
        rows = session.scalars(select(KeyRow).order_by(KeyRow.created_at, KeyRow.key_id)).all()
        return tuple(map(_key, rows))


def revoke_key(engine: Engine, key_id: str, at: datetime) -> Key:
    """Revoke a key, for good; `RequestError` when there is none of that id. One that was revoked stays as it is."""
    with Session(engine) as session, session.begin():
        row = session.get(KeyRow, key_id)
        if row is None:
            raise RequestError("key", f"{key_id!r} is no key; `recsys keys list` shows those there are")
        if row.revoked_at is None:
            row.revoked_at = _naive(at)
        return _key(row)


def split_key(text: str) -> tuple[str, str] | None:
    """Split what a caller showed into key id and secret; None when it has not the form of a key."""
    parts = text.split("_", 2)
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == PREFIX else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: KeyRow) -> Key:
    made = row.created_at.replace(tzinfo=UTC)
    ended = [None if one is None else one.replace(tzinfo=UTC) for one in (row.revoked_at, row.expires_at)]
    return Key(row.key_id, row.name, Role(row.role), row.per_second, row.digest, made, *ended)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
