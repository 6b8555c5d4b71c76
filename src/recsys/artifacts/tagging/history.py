"""What changed in members' tags and segments from publication to publication, kept when publications are gone.

One sealed folder a publication. It holds the values that differ from those of the publication before it (its base), or,
without a base, all that are known. Tags that count days from something keep the day that they count from, so that a
value is written when something happens and not because a day has passed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_files import id_key
from recsys.artifacts.tagging.changes import SCHEMA, changes
from recsys.artifacts.tagging.columns import SegmentColumn, TagValue
from recsys.artifacts.tagging.movement import Alert, Movement, alerts, movement
from recsys.artifacts.tagging.settings import AlertRule
from recsys.artifacts.tagging.spec import SegmentSpec
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import read_manifest, write_folder
from recsys.core.time import EPOCH, AsOf

CHANGES = "changes.parquet"
KEYS, GONE = "keys.npy", "gone.npy"
"""The members of the publication, and those of the base who are not in it: hashes of their ids, ascending."""
FORMAT = 1
GROUP_ROWS = 65_536


@dataclass(frozen=True)
class Entry:
    """What is kept of one publication.

    folder: named as the publication. base: the name of the entry that its changes are against; None = it tells all.
    at: ISO instant at which it was recorded. members: how many there were.
    sizes: segmentation -> members of each value, in their order, and last of none. specs: the segmentations, as shown.
    movements: from the base, by segmentation; without a base, or where a definition changed, there are none.
    """

    folder: Path
    as_of: AsOf
    base: str | None
    at: str
    members: int
    sizes: Mapping[str, tuple[int, ...]]
    specs: Mapping[str, SegmentSpec]
    movements: Mapping[str, Movement]
    alerts: tuple[Alert, ...]

    @property
    def publication(self) -> str:
        """The publication's name."""
        return self.folder.name

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an entry; `ArtifactError` when it is broken, of another format or of an earlier layout."""
        manifest = read_manifest(folder, verify=False)
        lacking = {CHANGES, KEYS, GONE} - manifest["files"].keys()
        if lacking:
            raise ArtifactError(folder, f"lacks {min(lacking)}")
        try:
            if manifest["format"] != FORMAT:
                raise ArtifactError(folder, f"has the format {manifest['format']}; this version reads {FORMAT}")
            return cls(
                folder,
                AsOf.parse(manifest["as_of"], manifest["zone"]),
                manifest["base"],
                manifest["at"],
                manifest["members"],
                {name: tuple(sizes) for name, sizes in manifest["sizes"].items()},
                {spec.name: spec for spec in map(SegmentSpec.of, manifest["specs"])},
                {name: Movement.of(moves) for name, moves in manifest["movements"].items()},
                tuple(map(Alert.of, manifest["alerts"])),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(folder, f"has a manifest that lacks or spoils {error}") from error


@dataclass(frozen=True)
class Change:
    """A tag or segment of a member that changed. as_of: ISO day of the publication that first had it; None = unknown.

    A tag that counts days from something has ISO days for values.
    """

    as_of: str
    name: str
    before: TagValue
    after: TagValue


def record(root: Path, publication: Publication, before: Publication | None, rules: Sequence[AlertRule]) -> Entry:
    """Keep what a publication changed and return it; one that was kept already stays as it is.

    root: Home.tags. before: the publication to compare with; it is the base if it was kept itself, and so was all that
    its own changes are against; else there is none. rules: moves to look for.
    """
    folder = root / publication.name
    try:
        return Entry.open(folder)
    except ArtifactError:
        pass
    earlier = [] if before is None else timeline(root, before.name)
    base = before if any(entry.base is None for entry in earlier) else None
    moves = {} if base is None else _movements(base, publication)
    past = {
        name: [
            entry.movements[name]
            for entry in earlier
            if name in entry.movements and entry.specs[name].definition == publication.segment(name).spec.definition
        ]
        for name in moves
    }
    segments = publication.traits.segments

    def fill(aside: Path) -> dict[str, Any]:
        _write(aside, publication, base)
        return {
            "format": FORMAT,
            "as_of": str(publication.as_of),
            "zone": publication.as_of.zone,
            "base": None if base is None else base.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "members": len(publication.members),
            "sizes": {name: column.sizes() for name, column in segments.items()},
            "specs": [column.spec.to_data() for column in segments.values()],
            "movements": {name: moved.to_data() for name, moved in moves.items()},
            "alerts": [alert.to_data() for alert in alerts(rules, moves, past)],
        }

    write_folder(folder, fill)
    return Entry.open(folder)


def timeline(root: Path, publication: str) -> list[Entry]:
    """Return the entries that led to a publication's, oldest first, itself last; none when it was not kept.

    Where an entry tells all, the one before it is the last that was kept of an earlier day. The oldest one has a base
    only where that cannot be read: then it tells what changed alone.
    """
    entries = {entry.publication: entry for entry in _entries(root)}
    line = []
    current = entries.get(publication)
    while current is not None:
        line.append(current)
        earlier = [entry for entry in entries.values() if entry.as_of < current.as_of]
        last = max(earlier, key=lambda entry: (entry.as_of, entry.at, entry.publication), default=None)
        current = last if current.base is None else entries.get(current.base)
    return line[::-1]


def member_history(root: Path, publication: Publication, member_id: str) -> list[Change]:
    """Return what changed of a member, oldest first; what was known at first comes as a change from unknown.

    `MissingError` when nothing was kept of the publication. Of a member who opted out nothing is told.
    """
    line = timeline(root, publication.name)
    if not line:
        raise MissingError(f"a history of {publication.name}", "recsys publish")
    if publication.refused(member_id):
        return []
    state: dict[str, TagValue] = {}
    told = []
    for entry in line:
        new = _values(entry, id_key(member_id))
        if entry.base is None or _stands(entry, GONE, id_key(member_id)) is not None:
            new = dict.fromkeys(state, None) | new
        for name, value in new.items():
            if state.get(name) != value:
                told.append(Change(str(entry.as_of), name, state.get(name), value))
        state.update(new)
    return told


def publication_before(root: Path, kept: Path, as_of: AsOf) -> Publication | None:
    """Return the last publication of an earlier day that still stands, the one last kept of several; None without one.

    root: Home.publications. kept: Home.tags.
    """
    found = []
    for folder in root.glob("[0-9]*"):
        try:
            day = date.fromisoformat(read_manifest(folder, verify=False)["as_of"])
        except (ArtifactError, KeyError, ValueError):
            continue
        if day < as_of.day:
            found.append((day, _recorded(kept / folder.name), folder.name, folder))
    for *_, folder in sorted(found, reverse=True):
        try:
            return Publication.open(folder)
        except ArtifactError:
            continue
    return None


def _recorded(folder: Path) -> str:
    """Return when an entry was made; empty when there is none."""
    try:
        return Entry.open(folder).at
    except ArtifactError:
        return ""


def _entries(root: Path) -> Iterator[Entry]:
    for folder in root.glob("[0-9]*"):
        try:
            yield Entry.open(folder)
        except ArtifactError:
            continue


def _movements(before: Publication, after: Publication) -> dict[str, Movement]:
    """Return the moves within each segmentation that both publications cut alike."""
    days = (str(before.as_of), str(after.as_of))
    length = after.as_of.number - before.as_of.number
    pairs = {
        name: (before.traits.segments[name], column)
        for name, column in after.traits.segments.items()
        if _alike(before.traits.segments.get(name), column)
    }
    keys = (before.members.keys, after.members.keys)
    return {name: movement(*pair, *keys, days, length) for name, pair in pairs.items()}


def _alike(before: SegmentColumn | None, after: SegmentColumn) -> bool:
    return before is not None and before.spec.definition == after.spec.definition


def _write(aside: Path, publication: Publication, base: Publication | None) -> None:
    keys = publication.members.keys
    np.save(aside / KEYS, keys, allow_pickle=False)
    gone = keys[:0] if base is None else base.members.keys[~np.isin(base.members.keys, keys)]
    np.save(aside / GONE, gone, allow_pickle=False)
    packed: dict[str, Any] = {"use_dictionary": ["name", "text"], "column_encoding": {"row": "DELTA_BINARY_PACKED"}}
    with pq.ParquetWriter(aside / CHANGES, SCHEMA, compression="zstd", **packed) as writer:
        for table in changes(publication, base):
            writer.write_table(table, row_group_size=GROUP_ROWS)


def _stands(entry: Entry, file: str, key: int) -> int | None:
    """Return where a member stands among keys; None = nowhere."""
    path = entry.folder / file
    try:
        keys = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(path, "cannot be read") from error
    at = int(keys.searchsorted(np.uint64(key)))
    return at if at < len(keys) and keys[at] == np.uint64(key) else None


def _values(entry: Entry, key: int) -> dict[str, TagValue]:
    """Read what an entry says of a member."""
    row = _stands(entry, KEYS, key)
    if row is None:
        return {}
    path = entry.folder / CHANGES
    try:
        table = pq.read_table(path, filters=[("row", "=", row)])
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtifactError(path, "cannot be read") from error
    return {told["name"]: _value(told) for told in table.to_pylist()}


def _value(row: Mapping[str, Any]) -> TagValue:
    if row["day"] is not None:
        return str(EPOCH + timedelta(days=row["day"]))
    told: TagValue = next((row[kind] for kind in ("number", "flag", "text") if row[kind] is not None), None)
    return told
