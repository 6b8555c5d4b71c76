"""Who saw and took what: a log that is only ever added to, which the database itself holds to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, Engine, Integer, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from recsys.store.database import Base


class Action(StrEnum):
    """What was done."""

    LIST = "list"
    VIEW = "view"
    PREVIEW = "preview"
    CREATE = "create"
    END = "end"
    EXPORT = "export"
    """An export was begun; the line stands before the first byte is given away."""
    EXPORTED = "exported"
    """An export ended, whole or not."""
    MEMBER = "member"
    """A member's doings, or tags, were shown."""
    AUDIT = "audit"
    """This log was read."""


class AuditRow(Base):
    """A line as it is stored; the time is UTC without a zone."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime]
    key_id: Mapped[str]
    who: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    version: Mapped[int | None]
    members: Mapped[int | None] = mapped_column(BigInteger)
    told: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Who:
    """Whose key it was; key_id is empty where there was none: on this machine, by the command line or without keys."""

    key_id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    subject: an audience's id, or what else was seen; empty = nothing in particular. version: of the audience.
    members: how many of them were shown or given away; None = that says nothing here.
    told: what else there is to know, as JSON.
    """

    at: datetime
    who: Who
    action: Action
    subject: str
    version: int | None = None
    members: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line and its place in the log."""

    number: int
    line: Line


def record(engine: Engine, line: Line) -> None:
    """Add a line, durable when this returns."""
    with engine.begin() as connection:
        record_in(connection, line)


def record_in(connection: Connection, line: Line) -> None:
    """Add a line within the connection's transaction: it stands when that is committed, and not otherwise."""
    connection.execute(
        insert(AuditRow).values(
            at=line.at.astimezone(UTC).replace(tzinfo=None),
            key_id=line.who.key_id,
            who=line.who.name,
            role=line.who.role,
            action=str(line.action),
            subject=line.subject,
            version=line.version,
            members=line.members,
            told=dict(line.told),
        )
    )


def lines(
    engine: Engine,
    *,
    limit: int,
    before: int | None = None,
    subject: str | None = None,
    action: Action | None = None,
) -> tuple[Numbered, ...]:
    """Return the last lines, the newest first; before: only those with a lower number."""
    query = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.number < before)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    if action is not None:
        query = query.where(AuditRow.action == str(action))
    with Session(engine) as session:
        return tuple(Numbered(row.number, _line(row)) for row in session.scalars(query))


def _line(row: AuditRow) -> Line:
    who = Who(row.key_id, row.who, row.role)
    at = row.at.replace(tzinfo=UTC)
    return Line(at, who, Action(row.action), row.subject, row.version, row.members, row.told)
