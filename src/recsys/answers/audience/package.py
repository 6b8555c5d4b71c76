"""A frozen list of members: a sealed folder with who is to be reached, who is left alone, and what each is offered."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from recsys.answers.audience.formats import Format, expected_bytes
from recsys.artifacts.publication import Publication
from recsys.core.errors import ArtifactError
from recsys.core.folders import MANIFEST, file_digest, read_manifest, write_folder

kernels: Any = pa.compute

FORMAT = 1
MEMBERS, ROW_KEYS, TREATED_KEYS = "members.parquet", "row_keys.npy", "treated_keys.npy"
MAKING = "making"
"""Where packages are written before they have their place."""
GROUP_ROWS = 131_072
SAMPLE_ROWS = 4000

_COLUMNS: dict[str, Any] = {
    "member_id": pa.string(),
    "arm": pa.string(),
    "score": pa.float64(),
    "reason": pa.string(),
    "reason_zh": pa.string(),
    "reason_en": pa.string(),
    "products": pa.list_(pa.string()),
    "due_day": pa.date32(),
    "channel": pa.string(),
    "hour": pa.int8(),
    "format": pa.string(),
    "benefit": pa.string(),
}
SCHEMA = pa.schema(_COLUMNS)
"""The columns of `members.parquet`; whatever is not known, or does not apply, is null."""


class Arm(StrEnum):
    """Whether a member is to be reached."""

    TREATED = "treated"
    HELD_OUT = "held_out"


@dataclass(frozen=True)
class Members:
    """Members of a package, in its order.

    rows: (n,) member rows of the publication, unique. score: (n,) NaN = none.
    columns: (n,) values of any of `SCHEMA` from `reason` on; those left out are null.
    """

    rows: "np.ndarray"
    score: "np.ndarray"
    columns: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, mask: "np.ndarray") -> Self:
        """Return the members where the (n,) mask is true."""
        if mask.all():
            return self
        kept = pa.array(mask)
        columns = {name: values.filter(kept) for name, values in self.columns.items()}
        return type(self)(self.rows[mask], self.score[mask], columns)


@dataclass(frozen=True)
class Written:
    """A package that has no place yet. digest: of its manifest. sizes: expected bytes by format and arm."""

    folder: Path
    digest: str
    sizes: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Package:
    """A package that was opened. products: the longest list of products in it."""

    folder: Path
    products: int

    @classmethod
    def open(cls, folder: Path, digest: str, *, verify: bool = True) -> Self:
        """Open a package whose manifest has a digest; `ArtifactError` when anything of it was altered.

        verify: look at every byte of it, and not at the manifest alone.
        """
        manifest = read_manifest(folder, verify=verify)
        if file_digest(folder / MANIFEST) != digest:
            raise ArtifactError(folder / MANIFEST, "is not the one that was sealed")
        if manifest.get("format") != FORMAT:
            raise ArtifactError(folder, f"has the format {manifest.get('format')}; this version reads {FORMAT}")
        return cls(folder, int(manifest["products"]))

    @property
    def members(self) -> Path:
        """The file of its members."""
        return self.folder / MEMBERS

    def row_keys(self) -> "np.ndarray":
        """(n,) hashed ids of the members, in the order of the file."""
        return np.asarray(np.load(self.folder / ROW_KEYS, mmap_mode="r", allow_pickle=False))


def place_of(root: Path, audience_id: str, version: int) -> Path:
    """Return where the package of a version stands."""
    return root / audience_id / f"v{version}"


def treated_keys(folder: Path) -> "np.ndarray":
    """(n,) hashed ids of the members who are to be reached, ascending; memory-mapped."""
    path = folder / TREATED_KEYS
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise ArtifactError(path, "cannot be read") from error


def write_package(
    root: Path, publication: Publication, members: Members, held_out: "np.ndarray", told: Mapping[str, Any]
) -> Written:
    """Write and seal a package aside, durable when this returns.

    held_out: (n,) true for members who are left alone. told: what else the manifest shall say, as JSON.
    """
    folder = root / MAKING / uuid.uuid4().hex
    table = _table(publication, members, held_out)
    products = _longest(table.column("products"))
    keys = np.asarray(publication.members.keys)[members.rows]
    sizes: dict[str, dict[str, int]] = {}

    def fill(aside: Path) -> dict[str, Any]:
        with pq.ParquetWriter(aside / MEMBERS, table.schema, compression="zstd", store_schema=False) as writer:
            writer.write_table(table, row_group_size=GROUP_ROWS)
        np.save(aside / ROW_KEYS, keys)
        np.save(aside / TREATED_KEYS, np.sort(keys[~held_out]))
        sizes.update(_sizes(aside / MEMBERS, table, int(held_out.sum()), products))
        return {**told, "format": FORMAT, "members": len(members), "products": products, "sizes": sizes}

    write_folder(folder, fill)
    return Written(folder, file_digest(folder / MANIFEST), sizes)


def lineage(publication: Publication, at: datetime) -> dict[str, Any]:
    """Tell what a package made at an instant comes from."""
    return {
        "publication": publication.name,
        "as_of": str(publication.as_of),
        "tables_digest": publication.tables_digest,
        "model_versions": dict(publication.model_versions),
        "made_at": at.isoformat(),
    }


def _table(publication: Publication, members: Members, held_out: "np.ndarray") -> Any:
    """Return the table to write; texts may be dictionaries in it, which are written as texts."""
    size = len(members)
    ids = publication.members.texts.columns[publication.members.column]
    arms = pa.DictionaryArray.from_arrays(held_out.astype(np.int8), pa.array([str(Arm.TREATED), str(Arm.HELD_OUT)]))
    known = {
        **members.columns,
        "member_id": ids.take(pa.array(members.rows)) if size else pa.array([], pa.string()),
        "arm": arms,
        "score": pa.array(members.score, pa.float64(), from_pandas=True),
    }
    columns = {
        field.name: _fitting(known[field.name], field.type) if field.name in known else pa.nulls(size, field.type)
        for field in SCHEMA
    }
    return pa.table(columns)


def _fitting(values: Any, wanted: Any) -> Any:
    if pa.types.is_dictionary(values.type) and values.type.value_type == wanted:
        return values
    return values if values.type == wanted else values.cast(wanted)


def _longest(lists: Any) -> int:
    return int(kernels.max(kernels.list_value_length(lists)).as_py() or 0)


def _sizes(file: Path, table: Any, held_out: int, products: int) -> dict[str, dict[str, int]]:
    """Tell expected bytes by format and arm, from rows taken evenly."""
    rows = table.num_rows
    places = np.unique(np.linspace(0, max(rows - 1, 0), min(rows, SAMPLE_ROWS)).astype(np.int64))
    sample = table.take(pa.array(places)).cast(SCHEMA)
    parts = {"all": rows, str(Arm.TREATED): rows - held_out, str(Arm.HELD_OUT): held_out}
    sizes: dict[str, dict[str, int]] = {
        str(kind): {arm: expected_bytes(kind, sample, size, products=products) for arm, size in parts.items()}
        for kind in (Format.CSV, Format.JSONL)
    }
    packed = file.stat().st_size
    sizes[str(Format.PARQUET)] = {arm: round(packed * size / rows) if rows else packed for arm, size in parts.items()}
    return sizes
