"""Writes tags and segments into the folder of a publication."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from recsys.artifacts.tagging.catalogue import tags_of
from recsys.artifacts.tagging.files import CATALOGUE, segment_file, tag_file
from recsys.artifacts.tagging.spec import Kind, SegmentSpec, TagSpec
from recsys.core.errors import ArtifactError

kernels: Any = pa.compute


@dataclass(frozen=True)
class Tagged:
    """What is told of members beside features and standings.

    tags: `member_id`, unique, and one column for each tag that no feature holds: numbers (NaN = unknown) or text (None
        = unknown), by the names of the catalogue.
    segments: `member_id`, unique, and one column for each of `specs`: codes of its values (None = none).
    """

    tags: pd.DataFrame
    segments: pd.DataFrame
    specs: tuple[SegmentSpec, ...]


def no_tags() -> Tagged:
    """Return what is told when nothing was computed: features and standings are tags none the less."""
    nobody = pd.DataFrame({"member_id": pd.Series(dtype=object)})
    return Tagged(nobody, nobody, ())


def write_traits(
    folder: Path,
    member_ids: "pa.ChunkedArray[Any]",
    features: Mapping[str, "pa.ChunkedArray[Any] | None"],
    tagged: Tagged,
) -> None:
    """Write the columns that no other file holds, and the catalogue.

    member_ids: in the order of the publication's rows. features: by name, texts with their values in the same order.
    `ArtifactError` when a segment's code is none of its values.
    """
    ids = pd.Index(member_ids.to_numpy())
    tags = tagged.tags.set_index("member_id").reindex(ids)
    segments = tagged.segments.set_index("member_id").reindex(ids)
    specs = tags_of(set(features), tags.columns, {spec.name for spec in tagged.specs})
    told = []
    for place, spec in enumerate(specs):
        labels: list[str] = []
        if spec.kind is Kind.TEXT and spec.segment is None:
            codes, labels = _coded(features[spec.feature] if spec.feature is not None else tags[spec.name])
            _save(folder, tag_file(place), codes)
        elif _has_own_column(spec):
            _save(folder, tag_file(place), tags[spec.name].to_numpy(dtype=np.float64, na_value=np.nan))
        told.append({"spec": spec.to_data(), "labels": labels})
    for place, cut in enumerate(tagged.specs):
        codes = pd.Index(cut.codes).get_indexer(pd.Index(segments[cut.name])).astype(np.int16)
        if (codes[segments[cut.name].notna()] < 0).any():
            raise ArtifactError(folder, f"has members of no value of the segmentation {cut.name}")
        _save(folder, segment_file(place), codes)
    data = {"tags": told, "segments": [cut.to_data() for cut in tagged.specs]}
    (folder / CATALOGUE).write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")


def _has_own_column(spec: TagSpec) -> bool:
    return spec.kind is Kind.NUMBER and spec.feature is None and spec.segment is None


def _coded(values: Any) -> tuple["np.ndarray", list[str]]:
    """Return (members,) places in the labels, which ascend; -1 = unknown."""
    texts = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values, from_pandas=True)])
    texts = texts.cast(pa.string())
    labels = sorted(map(str, texts.unique().drop_null().to_pylist()))
    places = kernels.index_in(texts, value_set=pa.array(labels, pa.string())).combine_chunks()
    return places.fill_null(-1).to_numpy().astype(np.int32), labels


def _save(folder: Path, name: str, array: "np.ndarray") -> None:
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
