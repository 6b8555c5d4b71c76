"""How often members were spoken to of late, so that nobody is spoken to too often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Engine

from recsys.answers.audience.package import place_of, treated_keys
from recsys.artifacts.publication import Publication
from recsys.core.time import EPOCH
from recsys.store import audiences as store
from recsys.store.audiences import AudienceVersion


@dataclass(frozen=True)
class Pressure:
    """A member who was contacted `most` times or more within the last `days` days is left out."""

    days: int = 14
    most: int = 2


@dataclass(frozen=True)
class LiveAudience:
    """An audience that is being acted on. treated: (n,) hashed ids of those to be reached, ascending."""

    version: AudienceVersion
    treated: "np.ndarray"

    @property
    def made_at(self) -> datetime:
        """When it was made."""
        return self.version.draft.created_at

    @property
    def audience_id(self) -> str:
        """Its id."""
        return self.version.draft.audience_id

    @property
    def name(self) -> str:
        """Its name."""
        return self.version.draft.name


def live_audiences(engine: Engine, root: Path, now: datetime, *, but: str | None = None) -> tuple[LiveAudience, ...]:
    """Return the audiences that are live at an instant, the last made first; but: the id of one to leave out.

    `ArtifactError` when the package of one of them is gone: what it did to its members cannot be told then.
    """
    return tuple(
        LiveAudience(found, treated_keys(place_of(root, found.draft.audience_id, found.version)))
        for found in store.live(engine, now)
        if found.draft.audience_id != but
    )


def contacts(
    publication: Publication, rows: "np.ndarray", days: int, live: Sequence[LiveAudience], now: datetime
) -> "np.ndarray":
    """(n,) times that members were contacted in the last days: contacts known before as_of, and live audiences.

    A live audience made within the days counts once for each member whom it is to reach, unless a contact that came
    after it was made is known by now and can be it.
    rows: (n,) member rows.
    """
    counts = _known(publication, rows, days)
    since, zone = now - timedelta(days=days), ZoneInfo(publication.as_of.zone)
    keys = np.asarray(publication.members.keys)[rows]
    used = np.zeros(len(rows), np.int64)
    for audience in sorted(live, key=lambda audience: audience.made_at):
        if audience.made_at < since:
            continue
        day = (audience.made_at.astimezone(zone).date() - EPOCH).days
        reached = among(keys, audience.treated)
        told = reached & (_known(publication, rows, publication.as_of.number - day) > used)
        used += told
        counts += reached & ~told
    return counts


def _known(publication: Publication, rows: "np.ndarray", days: int) -> "np.ndarray":
    """(n,) contacts of members known in the last days before as_of."""
    facts = publication.facts.contacts
    span = facts.span(max(days, 0))
    counts = np.bincount(facts.member[span], minlength=len(publication.members))
    return np.asarray(counts[rows], np.int64)


def among(keys: "np.ndarray", sorted_keys: "np.ndarray") -> "np.ndarray":
    """(n,) whether keys are among others, which ascend."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    at = np.minimum(sorted_keys.searchsorted(keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[at] == keys)
