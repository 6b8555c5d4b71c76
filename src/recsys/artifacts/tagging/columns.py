"""A publication's tags and segments as columns over its members, memory-mapped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from recsys.artifacts.publication_columns import Texts, open_array, open_rows
from recsys.artifacts.publication_content import Tag
from recsys.artifacts.tagging.files import CATALOGUE, segment_file, tag_file
from recsys.artifacts.tagging.spec import Kind, SegmentSpec, TagSpec
from recsys.core.errors import ArtifactError, RequestError

TagValue = str | float | bool | None


@dataclass(frozen=True, eq=False)
class TagColumn:
    """One tag of all members.

    values: (members,) numbers: float64, NaN = unknown; texts: int32 places in `labels`, -1 = unknown; flags: bool.
    labels: texts only, ascending.
    """

    spec: TagSpec
    values: "np.ndarray"
    labels: tuple[str, ...] = ()

    def at(self, row: int) -> TagValue:
        """Return a member's value; None = unknown."""
        if self.spec.kind is Kind.FLAG:
            return bool(self.values[row])
        if self.spec.kind is Kind.TEXT:
            place = int(self.values[row])
            return self.labels[place] if place >= 0 else None
        number = float(self.values[row])
        return number if np.isfinite(number) else None

    def known(self) -> int:
        """Return of how many members it is known."""
        if self.spec.kind is Kind.FLAG:
            return len(self.values)
        unknown = self.values < 0 if self.spec.kind is Kind.TEXT else np.isnan(self.values)
        return int(len(self.values) - np.count_nonzero(unknown))


@dataclass(frozen=True, eq=False)
class SegmentColumn:
    """One segmentation of all members. values: (members,) int16 places in `spec.values`, -1 = none."""

    spec: SegmentSpec
    values: "np.ndarray"

    def at(self, row: int) -> str | None:
        """Return the code of a member's part; None = none."""
        place = int(self.values[row])
        return self.spec.values[place].code if place >= 0 else None

    def sizes(self) -> tuple[int, ...]:
        """Return how many members each value has, in their order, and last how many have none."""
        counts = np.bincount(np.asarray(self.values, dtype=np.int64) + 1, minlength=len(self.spec.values) + 1)
        return (*counts[1:].tolist(), int(counts[0]))


@dataclass(frozen=True, eq=False)
class Traits:
    """Tags and segments by name, in the order in which they are shown."""

    tags: Mapping[str, TagColumn]
    segments: Mapping[str, SegmentColumn]

    def tag(self, name: str) -> TagColumn:
        """Return a tag; `RequestError` when there is none of that name."""
        column = self.tags.get(name)
        if column is None:
            raise RequestError("tag", f"{name!r} is no tag; `recsys tags` lists those there are")
        return column

    def segment(self, name: str) -> SegmentColumn:
        """Return a segmentation; `RequestError` lists those there are."""
        column = self.segments.get(name)
        if column is None:
            raise RequestError("segment", f"{name!r} is none of {', '.join(self.segments)}")
        return column

    def of(self, row: int) -> dict[str, TagValue]:
        """Return all of a member's tags, and then segments, by name; None = unknown or none."""
        tags = {name: column.at(row) for name, column in self.tags.items()}
        return tags | {name: column.at(row) for name, column in self.segments.items()}

    @classmethod
    def open(cls, folder: Path, features: Mapping[str, "np.ndarray"], texts: Texts, bits: "np.ndarray") -> Self:
        """Open what `write_traits` wrote; `ArtifactError` when it does not fit the rest of the publication.

        features: name -> (members,) numbers. texts: the members' texts. bits: (members,) one bit for each `Tag`.
        """
        path = folder / CATALOGUE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            tags = [TagSpec.of(one["spec"]) for one in data["tags"]]
            labels = [tuple(map(str, one["labels"])) for one in data["tags"]]
            segments = [SegmentSpec.of(one) for one in data["segments"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(path, "cannot be read") from error
        opened = _Opened(folder, features, texts.rows, bits)
        cut = {spec.name: SegmentColumn(spec, opened.segment(place, spec)) for place, spec in enumerate(segments)}
        columns = {
            spec.name: opened.tag(place, spec, own, cut)
            for place, (spec, own) in enumerate(zip(tags, labels, strict=True))
        }
        return cls(columns, cut)


@dataclass(frozen=True, eq=False)
class _Opened:
    """Where columns come from."""

    folder: Path
    features: Mapping[str, "np.ndarray"]
    members: int
    bits: "np.ndarray"

    def segment(self, place: int, spec: SegmentSpec) -> "np.ndarray":
        return open_rows(self.folder, segment_file(place), self.members, low=-1, below=len(spec.values))

    def tag(
        self, place: int, spec: TagSpec, labels: tuple[str, ...], segments: Mapping[str, SegmentColumn]
    ) -> TagColumn:
        if spec.flag is not None:
            return TagColumn(spec, (self.bits >> tuple(Tag).index(spec.flag) & 1).astype(np.bool_))
        if spec.segment is not None:
            if spec.segment not in segments:
                raise ArtifactError(self.folder / CATALOGUE, f"has no segmentation {spec.segment}")
            column = segments[spec.segment]
            return TagColumn(spec, column.values, column.spec.codes)
        if spec.kind is Kind.TEXT:
            return TagColumn(
                spec, open_rows(self.folder, tag_file(place), self.members, low=-1, below=len(labels)), labels
            )
        if spec.feature is None:
            return TagColumn(spec, open_array(self.folder, tag_file(place), (self.members,)))
        if spec.feature not in self.features:
            raise ArtifactError(self.folder / CATALOGUE, f"has no feature {spec.feature}")
        return TagColumn(spec, self.features[spec.feature])
