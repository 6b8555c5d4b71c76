"""Makes a version of an audience of members that were picked: leaves out, holds out, seals, and then lists it."""

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from recsys.answers.audience.holdout import STRATA, hold_out, strata
from recsys.answers.audience.package import MAKING, Members, lineage, place_of, write_package
from recsys.answers.audience.pressure import Pressure, among, contacts, live_audiences
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError
from recsys.core.folders import LEFT_AFTER_SECONDS, move_folder
from recsys.store import audiences as store
from recsys.store.audiences import AudienceVersion, Draft
from recsys.store.audit import Action, Line, Who, record_in

MOST_HELD_OUT = 0.5
MOST_DAYS = 400


@dataclass(frozen=True)
class Terms:
    """On what terms members who were picked come into a package.

    hold_out: the share that is left alone, 0 to 0.5. pressure: None = nobody is left out for being contacted often.
    live_days: so long the version counts as a contact of its members, and as overlap.
    """

    hold_out: float = 0.1
    pressure: Pressure | None = field(default_factory=Pressure)
    live_days: int = 14

    def __post_init__(self) -> None:
        if not 0 <= self.hold_out <= MOST_HELD_OUT:
            raise RequestError("hold_out", f"must be from 0 to {MOST_HELD_OUT}")
        _check_days("live_days", self.live_days)
        if self.pressure is not None:
            _check_days("pressure.days", self.pressure.days)
            if self.pressure.most < 1:
                raise RequestError("pressure.most", "must be 1 or more")

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Terms":
        """Read what `to_data` wrote."""
        pressure = data["pressure"]
        return cls(data["hold_out"], None if pressure is None else Pressure(**pressure), data["live_days"])


@dataclass(frozen=True)
class Shelf:
    """Where audiences are kept: the store, and the folder of their packages."""

    engine: Engine
    root: Path


@dataclass(frozen=True)
class Owner:
    """Whose version it will be. new: the audience does not exist yet."""

    audience_id: str
    name: str
    new: bool


@dataclass(frozen=True)
class Asked:
    """What was asked for and what it came to.

    spec: as JSON, enough to ask again. lineage: more of where the members come from, as JSON.
    adds: whether scores are probabilities, of which the sum is the number of members expected to do it.
    """

    spec: Mapping[str, Any]
    terms: Terms
    lineage: Mapping[str, Any]
    adds: bool


def make_version(
    shelf: Shelf, publication: Publication, owner: Owner, members: Members, asked: Asked, *, who: Who, now: datetime
) -> AudienceVersion:
    """Seal the package of members and list it as the next version of its audience, with a line in the audit log.

    Listing, the line and putting the package in place are one transaction, the last step: a version that is listed is
    whole, and one that was interrupted is not there. `RequestError` when a new audience's name is taken.
    """
    terms = asked.terms
    _sweep(shelf.root / MAKING)
    kept, counts = _left_in(shelf, publication, owner, members, terms, now)
    keys = np.asarray(publication.members.keys)[kept.rows]
    held_out = hold_out(keys, kept.score, owner.audience_id, terms.hold_out)
    counts |= {"members": len(kept), "held_out": int(held_out.sum()), "treated": int((~held_out).sum())}
    counts["expected"] = float(np.nansum(kept.score[~held_out])) if asked.adds else None
    counts["strata"] = _strata(kept.score, held_out)
    told: dict[str, Any] = {
        "audience_id": owner.audience_id,
        "name": owner.name,
        "asked": {"spec": dict(asked.spec), **terms.to_data()},
        "lineage": {**asked.lineage, **lineage(publication, now)},
        "counts": counts,
        "who": asdict(who),
    }
    written = write_package(shelf.root, publication, kept, held_out, told)
    draft = Draft(
        owner.audience_id,
        owner.name,
        now,
        who.name,
        now + timedelta(days=terms.live_days),
        told["asked"],
        told["lineage"],
        counts,
        written.sizes,
        written.digest,
    )

    def place(connection: Connection, version: int) -> None:
        line = Line(now, who, Action.CREATE, owner.audience_id, version, len(kept), {"name": owner.name, **counts})
        record_in(connection, line)
        move_folder(written.folder, place_of(shelf.root, owner.audience_id, version))

    try:
        return store.add_version(shelf.engine, draft, place, new=owner.new)
    finally:
        shutil.rmtree(written.folder, ignore_errors=True)


def _left_in(
    shelf: Shelf, publication: Publication, owner: Owner, members: Members, terms: Terms, now: datetime
) -> tuple[Members, dict[str, Any]]:
    """Leave out who opted out and whoever was contacted often; return the others, and counts of them all."""
    keys = np.asarray(publication.members.keys)[members.rows]
    opted_out = among(keys, np.asarray(publication.opted_out))
    counts: dict[str, Any] = {
        "picked": len(members),
        "opted_out": int(opted_out.sum()),
        "opted_out_of_all": len(publication.opted_out),
        "contacted_often": 0,
    }
    kept = members.keep(~opted_out)
    if terms.pressure is not None:
        live = live_audiences(shelf.engine, shelf.root, now, but=owner.audience_id)
        often = contacts(publication, kept.rows, terms.pressure.days, live, now) >= terms.pressure.most
        counts["contacted_often"] = int(often.sum())
        kept = kept.keep(~often)
    return kept, counts


def _strata(score: "np.ndarray", held_out: "np.ndarray") -> list[dict[str, Any]]:
    """List the strata that have members: the tenth, 1 = the highest scores, None = no score; members and held out."""
    stratum = strata(score)
    sizes = np.bincount(stratum, minlength=STRATA + 1).tolist()
    held = np.bincount(stratum[held_out], minlength=STRATA + 1).tolist()
    return [
        {"tenth": place + 1 if place < STRATA else None, "members": size, "held_out": out}
        for place, (size, out) in enumerate(zip(sizes, held, strict=True))
        if size
    ]


def _check_days(name: str, days: int) -> None:
    if not 1 <= days <= MOST_DAYS:
        raise RequestError(name, f"must be from 1 to {MOST_DAYS}")


def _sweep(making: Path) -> None:
    """Remove what makers that were killed left, a day after."""
    for left in making.iterdir() if making.is_dir() else ():
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - LEFT_AFTER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
