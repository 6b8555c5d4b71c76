"""Gives members of a package away; each export stands in the audit log before its first byte leaves."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from recsys.answers.audience.formats import Format, encode
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import Arm, Package, place_of
from recsys.answers.audience.pressure import among
from recsys.answers.errors import UnknownError
from recsys.store.audiences import AudienceVersion, versions
from recsys.store.audit import Action, Line, Who, record

kernels: Any = pa.compute

PART_ROWS = 16_384
PIECE_BYTES = 1 << 20

_log = logging.getLogger("recsys.answers")


class Part(StrEnum):
    """Which members of a package."""

    TREATED = "treated"
    HELD_OUT = "held_out"
    ALL = "all"


@dataclass(frozen=True)
class Wanted:
    """What shall be given away. way: how it leaves, for the log: download, file, or the callback's name."""

    kind: Format = Format.CSV
    part: Part = Part.TREATED
    way: str = "download"


@dataclass(frozen=True)
class Export:
    """An export that was begun.

    members: so many are in it. withheld: members of the package who opted out since, and are not.
    chunks: the file; it can be taken once, and when it ends, or is left, that is logged.
    """

    version: AudienceVersion
    wanted: Wanted
    members: int
    withheld: int
    chunks: Generator[bytes, None, None]

    @property
    def file_name(self) -> str:
        """What the file is to be called."""
        draft, wanted = self.version.draft, self.wanted
        return f"{draft.audience_id}-v{self.version.version}-{wanted.part}.{wanted.kind}"


class _Ended(Protocol):
    """Hears that an export ended after so many bytes, whole or not."""

    def __call__(self, size: int, *, whole: bool) -> None: ...


def find_version(engine: Engine, audience_id: str, number: int | None) -> AudienceVersion:
    """Return a version of an audience, the newest by default; `UnknownError` when there is none."""
    found = versions(engine, audience_id)
    if not found:
        raise UnknownError("audience_id", f"{audience_id!r} is no audience")
    for version in found:
        if number in (None, version.version):
            return version
    raise UnknownError("version", f"{number} is no version of {audience_id!r}; the newest is {found[0].version}")


def begin_export(
    shelf: Shelf, version: AudienceVersion, wanted: Wanted, opted_out: "np.ndarray", *, who: Who, now: datetime
) -> Export:
    """Open a version's package, verified, and log that it is given away.

    opted_out: (n,) hashed ids of all who opted out by now, ascending; whoever did since the package was made is left
        out of the export.
    """
    draft = version.draft
    package = Package.open(place_of(shelf.root, draft.audience_id, version.version), draft.digest)
    keys = package.row_keys()
    withheld = among(keys, opted_out)
    inside = of_part(package, wanted.part)
    mask = inside & ~withheld
    members, left_out = int(mask.sum()), int((inside & withheld).sum())
    told = {"format": str(wanted.kind), "arm": str(wanted.part), "way": wanted.way, "withheld": left_out}
    record(shelf.engine, Line(now, who, Action.EXPORT, draft.audience_id, version.version, members, told))

    def ended(size: int, *, whole: bool) -> None:
        line = Line(
            datetime.now(UTC),
            who,
            Action.EXPORTED,
            draft.audience_id,
            version.version,
            members if whole else None,
            {**told, "bytes": size, "whole": whole},
        )
        try:
            record(shelf.engine, line)
        except SQLAlchemyError:
            _log.exception("the end of an export of audience %s could not be logged", draft.audience_id)

    return Export(version, wanted, members, left_out, _counted(_pieces(package, wanted.kind, mask), ended))


def of_part(package: Package, part: Part) -> "np.ndarray":
    """(n,) whether a member of the package, in its order, is of a part."""
    arms = pq.read_table(package.members, columns=["arm"]).column("arm")
    if part is Part.ALL:
        return np.ones(len(arms), bool)
    wanted = Arm.TREATED if part is Part.TREATED else Arm.HELD_OUT
    return np.asarray(kernels.equal(arms, str(wanted)).to_numpy())


def _pieces(package: Package, kind: Format, mask: "np.ndarray") -> Iterator[bytes]:
    if kind is Format.PARQUET and mask.all():
        with package.members.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
        return
    with pq.ParquetFile(package.members) as file:
        schema = file.schema_arrow
        yield from encode(kind, schema, _parts(file, mask), products=package.products)


def _parts(file: Any, mask: "np.ndarray") -> Iterator[Any]:
    start = 0
    for batch in file.iter_batches(batch_size=PART_ROWS):
        kept = mask[start : start + len(batch)]
        start += len(batch)
        if kept.any():
            table = pa.Table.from_batches([batch])
            yield table if kept.all() else table.filter(pa.array(kept))


def _counted(pieces: Iterator[bytes], ended: _Ended) -> Generator[bytes, None, None]:
    size, whole = 0, False
    try:
        for piece in pieces:
            size += len(piece)
            yield piece
        whole = True
    finally:
        ended(size, whole=whole)
