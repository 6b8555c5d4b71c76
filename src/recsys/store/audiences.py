"""Audiences and their versions: each row stands for a sealed package, and no package stands without its row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Connection, Engine, ForeignKey, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from recsys.core.errors import RequestError
from recsys.store.database import Base, writing


class Standing(StrEnum):
    """What a version is good for; only live ones count as contacts and as overlap."""

    LIVE = "live"
    SUPERSEDED = "superseded"
    """There is a later version."""
    PAST = "past"
    """Its days are over."""
    ENDED = "ended"
    """Somebody ended the audience."""


class AudienceRow(Base):
    """An audience as it is stored; times are UTC without a zone."""

    __tablename__ = "audiences"

    audience_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    ended_at: Mapped[datetime | None]


class VersionRow(Base):
    """A version as it is stored; never changed."""

    __tablename__ = "audience_versions"

    audience_id: Mapped[str] = mapped_column(ForeignKey("audiences.audience_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    live_until: Mapped[datetime]
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    lineage: Mapped[dict[str, Any]] = mapped_column(JSON)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    sizes: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that has no number yet.

    created_by: the name of whose key it was. live_until: from then on it no longer counts as contact.
    asked: what was asked for, enough to ask again. lineage: publication, as_of, model versions.
    counts: members by what became of them. sizes: expected bytes of an export by format and arm.
    digest: of the package's manifest.
    """

    audience_id: str
    name: str
    created_at: datetime
    created_by: str
    live_until: datetime
    asked: Mapping[str, Any]
    lineage: Mapping[str, Any]
    counts: Mapping[str, Any]
    sizes: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class AudienceVersion:
    """A version of an audience; last: the number of the audience's newest one; ended_at: None = nobody ended it."""

    draft: Draft
    version: int
    last: int
    ended_at: datetime | None

    def standing(self, now: datetime) -> Standing:
        """Tell what the version is good for at an instant."""
        if self.ended_at is not None and self.ended_at <= now:
            return Standing.ENDED
        if self.version < self.last:
            return Standing.SUPERSEDED
        return Standing.LIVE if now < self.draft.live_until else Standing.PAST


def add_version(
    engine: Engine, draft: Draft, place: Callable[[Connection, int], None], *, new: bool
) -> AudienceVersion:
    """Add a version under the next number of its audience, and put its package in place.

    place: is told the number and puts the package where it belongs, within the transaction; when it raises, nothing is
        added. A crash after it leaves a package without a row, under a number that the next version takes: it must
        replace what stands there.
    new: make the audience too; `RequestError` when its name is taken by another. Else it must be there.
    """
    with writing(engine) as connection, Session(connection) as session:
        if new:
            _make(session, draft)
        owner = session.scalars(
            select(AudienceRow).where(AudienceRow.audience_id == draft.audience_id).with_for_update()
        ).one_or_none()
        if owner is None:
            raise RequestError("audience_id", f"{draft.audience_id!r} is no audience")
        if owner.ended_at is not None:
            raise RequestError("audience_id", f"{draft.audience_id!r} was ended")
        of_it = select(func.max(VersionRow.version)).where(VersionRow.audience_id == draft.audience_id)
        number = (session.scalar(of_it) or 0) + 1
        session.add(
            VersionRow(
                audience_id=draft.audience_id,
                version=number,
                created_at=_naive(draft.created_at),
                created_by=draft.created_by,
                live_until=_naive(draft.live_until),
                asked=dict(draft.asked),
                lineage=dict(draft.lineage),
                counts=dict(draft.counts),
                sizes=dict(draft.sizes),
                digest=draft.digest,
            )
        )
        session.flush()
        place(connection, number)
        session.commit()
    return AudienceVersion(draft, number, number, None)


def owner_of_name(engine: Engine, name: str) -> str | None:
    """Return the id of the audience that has a name, None when it is free."""
    with Session(engine) as session:
        return session.scalar(select(AudienceRow.audience_id).where(AudienceRow.name == name))


def versions(engine: Engine, audience_id: str) -> tuple[AudienceVersion, ...]:
    """Return all versions of an audience, the newest first; none when there is no such audience."""
    rows, _ = _rows()
    return _read(engine, rows.where(AudienceRow.audience_id == audience_id).order_by(VersionRow.version.desc()))


def newest(engine: Engine) -> tuple[AudienceVersion, ...]:
    """Return the newest version of every audience, the last made first."""
    rows, last = _rows()
    query = rows.where(VersionRow.version == last)
    return _read(engine, query.order_by(VersionRow.created_at.desc(), VersionRow.audience_id))


def live(engine: Engine, now: datetime) -> tuple[AudienceVersion, ...]:
    """Return the versions that are live at an instant, the last made first."""
    return tuple(found for found in newest(engine) if found.standing(now) is Standing.LIVE)


def end(engine: Engine, audience_id: str, at: datetime) -> bool:
    """End an audience for good; one that was ended stays as it is. False when there is none of that id."""
    with writing(engine) as connection, Session(connection) as session:
        row = session.get(AudienceRow, audience_id, with_for_update=True)
        if row is not None and row.ended_at is None:
            row.ended_at = _naive(at)
        session.commit()
        return row is not None


def _make(session: Session, draft: Draft) -> None:
    at = _naive(draft.created_at)
    session.add(
        AudienceRow(
            audience_id=draft.audience_id, name=draft.name, created_at=at, created_by=draft.created_by, ended_at=None
        )
    )
    try:
        session.flush()
    except IntegrityError:
        raise RequestError("name", f"{draft.name!r} is the name of another audience") from None


def _rows() -> tuple[Any, Any]:
    """Return a query of audience, version and the audience's last number, and what stands for that number in it."""
    of_each = select(VersionRow.audience_id, func.max(VersionRow.version).label("last"))
    last = of_each.group_by(VersionRow.audience_id).subquery()
    rows = select(AudienceRow, VersionRow, last.c.last).join(VersionRow)
    return rows.join(last, last.c.audience_id == AudienceRow.audience_id), last.c.last


def _read(engine: Engine, query: Any) -> tuple[AudienceVersion, ...]:
    with Session(engine) as session:
        return tuple(_version(owner, row, last) for owner, row, last in session.execute(query))


def _version(owner: AudienceRow, row: VersionRow, last: int) -> AudienceVersion:
    draft = Draft(
        row.audience_id,
        owner.name,
        row.created_at.replace(tzinfo=UTC),
        row.created_by,
        row.live_until.replace(tzinfo=UTC),
        row.asked,
        row.lineage,
        row.counts,
        row.sizes,
        row.digest,
    )
    ended = None if owner.ended_at is None else owner.ended_at.replace(tzinfo=UTC)
    return AudienceVersion(draft, row.version, last, ended)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
