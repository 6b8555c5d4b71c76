"""Members of a package, some at a time: who they are, before anything is sent to them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recsys.answers.audience.benefits import Benefit
from recsys.answers.audience.export import Part, of_part
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import Arm, Package, place_of
from recsys.answers.audience.pressure import among
from recsys.answers.audience.shapes import Offer
from recsys.answers.audience.why import Because
from recsys.answers.shapes import DESCRIBED
from recsys.store.audiences import AudienceVersion
from recsys.store.audit import Action, Line, Who, record

MOST = 200
"""So many members a page, at most."""


@dataclass(frozen=True, slots=True)
class PackageMember:
    """One member of a package."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    arm: Arm
    """Whether the member is to be reached or left alone."""
    score: float | None
    """The score that orders; null = the member has none."""
    offer: Offer | None
    """What the member is told; null = the package says nothing of it."""


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Some members of a package, in its order: highest scores first."""

    __pydantic_config__ = DESCRIBED
    members: tuple[PackageMember, ...]
    """From the one asked for on."""
    total: int
    """So many there are of the arm asked for."""
    withheld: int
    """Members of it who opted out since the package was made, and are not told."""


@dataclass(frozen=True)
class PageAsk:
    """Which members. first: 0 = the first one; count: so many, up to `MOST`."""

    part: Part = Part.ALL
    first: int = 0
    count: int = 50


def members_page(
    shelf: Shelf, version: AudienceVersion, ask: PageAsk, opted_out: "np.ndarray", *, who: Who, now: datetime
) -> MembersPage:
    """Return some members of a version's package; a line in the log, which says how many.

    opted_out: (n,) hashed ids of all who opted out by now, ascending.
    """
    draft = version.draft
    package = Package.open(place_of(shelf.root, draft.audience_id, version.version), draft.digest, verify=False)
    inside = of_part(package, ask.part)
    withheld = among(package.row_keys(), opted_out)
    rows = np.flatnonzero(inside & ~withheld)
    shown = rows[ask.first : ask.first + min(ask.count, MOST)]
    told = tuple(map(_member, _read(package, shown).to_pylist()))
    line = Line(
        now, who, Action.VIEW, draft.audience_id, version.version, len(told), {"arm": str(ask.part), "first": ask.first}
    )
    record(shelf.engine, line)
    return MembersPage(told, len(rows), int((inside & withheld).sum()))


def _read(package: Package, rows: "np.ndarray") -> Any:
    """Read (n,) ascending rows as an Arrow table, and no more groups of rows than they lie in."""
    file: Any = pq.ParquetFile(package.members)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    group = np.searchsorted(starts, rows, side="right") - 1
    groups, place = np.unique(group, return_inverse=True)
    if not len(groups):
        return file.schema_arrow.empty_table()
    offsets = np.concatenate([[0], np.cumsum([sizes[group] for group in groups])])
    return file.read_row_groups(groups.tolist()).take(offsets[place] + rows - starts[group])


def _member(row: dict[str, Any]) -> PackageMember:
    offer = None
    if row["reason"] is not None:
        due = row["due_day"]
        offer = Offer(
            Because(row["reason"]),
            row["reason_zh"],
            row["reason_en"],
            tuple(row["products"] or ()),
            None if due is None else due.isoformat(),
            row["channel"],
            row["hour"],
            row["format"],
            Benefit(row["benefit"] or Benefit.REMINDER),
        )
    return PackageMember(row["member_id"], Arm(row["arm"]), row["score"], offer)
