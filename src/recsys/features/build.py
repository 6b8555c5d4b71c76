"""Feature snapshots: one sealed folder for each as_of, computed once and never changed."""

import shutil
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import read_manifest, restore, text_digest, write_folder
from recsys.core.frames import Rows
from recsys.core.parallel import shared, side_by_side
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.data.engine import quoted
from recsys.data.snapshot import Snapshot
from recsys.features.assembly import ViewWriter
from recsys.features.candidates import CandidateConfig
from recsys.features.collaborative import Factors, neighbour_frame, together
from recsys.features.joined import joined_keys, joined_rows
from recsys.features.level import PRODUCT
from recsys.features.prepared import PORTIONS, Begin, Portions, Prepared, Span, in_silence, prepare

NEIGHBOURS = "neighbours.parquet"
FACTORS = "factors.npz"
KEPT = "kept.parquet"
OF_MEMBERS = (View.MEMBER, View.MEMBER_CATEGORY)
OF_PAIRS = (View.MEMBER_SUBCATEGORY, View.MEMBER_PRODUCT)

VISIBILITY = ("engine.py", "schema.py", "snapshot.py")
ENGINES = ("duckdb", "implicit", "scipy")

Write = Callable[[Snapshot, Path, CandidateConfig], Mapping[View, int]]
"""Writes the files of `SnapshotFolder` into a folder and returns the rows of each view."""


@dataclass(frozen=True)
class SnapshotFolder:
    """The features of every view as they were known before `as_of`, sealed.

    folder: holds `<view>.parquet` with the view's keys, its features (float64, null = NaN; or text),
        `event_timestamp` and `created_timestamp` (both as_of's instant, UTC), ordered by keys; `neighbours.parquet`,
        `factors.npz` and, where the pairs of some members alone are kept, `kept.parquet`.
    manifest: as_of, zone, tables_digest, features_digest, candidates (the configuration), rows a view, files.
    """

    folder: Path
    as_of: AsOf
    manifest: dict[str, Any]

    @classmethod
    def open(cls, root: Path, as_of: AsOf) -> Self:
        """Open a snapshot; `MissingError` when it was not built, `ArtifactError` when a file of it was altered."""
        folder = _folder(root, as_of)
        restore(folder)
        if not folder.is_dir():
            raise MissingError(f"features as of {as_of}", f"recsys features --as-of {as_of}")
        manifest = read_manifest(folder)
        if manifest["zone"] != as_of.zone:
            raise ArtifactError(folder, f"cuts days in {manifest['zone']}, not in {as_of.zone}")
        return cls(folder, as_of, manifest)

    def path(self, view: View) -> Path:
        """Return the parquet file of a view."""
        return self.folder / f"{view}.parquet"

    @property
    def places(self) -> dict[View, str]:
        """What to select each view from, see `joined.Places`."""
        return {view: f"read_parquet({quoted(str(self.path(view)))}, file_row_number = true)" for view in View}

    def read(self, view: View) -> pd.DataFrame:
        """Read a view whole."""
        return pd.read_parquet(self.path(view))

    def kept(self) -> "np.ndarray | None":
        """Read the (n,) member_id of those whose pairs are kept, whether they have any or not; None = all."""
        if self.manifest["candidates"]["kept"] is None:
            return None
        return pd.read_parquet(self.folder / KEPT)["member_id"].to_numpy(dtype=object)

    def neighbours(self) -> pd.DataFrame:
        """Read product_id, neighbour_id, score, kind ('similar' or 'together') and rank, 1 = the nearest."""
        return pd.read_parquet(self.folder / NEIGHBOURS)

    def factors(self) -> Factors:
        """Read the ALS factors; all empty when there was nothing to factorise."""
        with np.load(self.folder / FACTORS, allow_pickle=False) as arrays:
            return Factors(**{name: arrays[name] for name in arrays.files})


def write_views(
    snapshot: Snapshot,
    folder: Path,
    config: CandidateConfig,
    portions: Portions = PORTIONS,
    begin: Begin = in_silence,
) -> dict[View, int]:
    """Write a snapshot's files, some members at a time; returns the rows of each view."""
    scratch = folder / "scratch"
    scratch.mkdir()
    try:
        with prepare(snapshot, scratch, config, portions, begin) as prepared:
            begin("items")
            for view, table in prepared.items.items():
                with ViewWriter(folder / f"{view}.parquet", view) as writer:
                    writer.add(table)
            rows = {view: len(table) for view, table in prepared.items.items()}
            write_learnt(prepared, folder)
            begin("members")
            plain = prepared.spans(shared(len(prepared.members), portions.plain))
            rows |= _write_members(prepared, folder, OF_MEMBERS, plain)
            begin("pairs")
            return rows | _write_members(prepared, folder, OF_PAIRS, kept_spans(prepared, folder, portions.pairs))
    finally:
        shutil.rmtree(scratch)


def kept_spans(prepared: Prepared, folder: Path, members_at_once: int) -> tuple[Span, ...]:
    """Cut the members whose pairs are kept into spans, and write who they are where they are not all."""
    if prepared.config.kept is None:
        return prepared.spans(shared(len(prepared.members), members_at_once))
    kept = prepared.draw(prepared.config.kept)
    pd.DataFrame({"member_id": prepared.members[kept - 1]}).to_parquet(folder / KEPT, index=False)
    return prepared.spans_of(kept, shared(len(kept), members_at_once))


def write_learnt(prepared: Prepared, folder: Path) -> None:
    """Write what was learnt of products beside the views: neighbours and factors."""
    found, config = prepared.learnt[PRODUCT], prepared.config.product.collaborative
    learnt = found.collaborative
    with prepared.stage() as stage:
        product_ids = stage.execute("SELECT product_id FROM product_base ORDER BY product_code").fetchnumpy()
        ids = np.asarray(product_ids["product_id"], dtype=object)
        kinds = {"similar": learnt.similar, "together": together(stage, learnt.item_codes, config, found.member_ties)}
    neighbour_frame(learnt.item_codes, kinds, ids).to_parquet(folder / NEIGHBOURS, index=False)
    factors = Factors(
        prepared.members[learnt.member_codes - 1].astype(str),
        ids[learnt.item_codes - 1].astype(str),
        learnt.member_factors,
        learnt.item_factors,
    )
    np.savez(folder / FACTORS, **vars(factors))


def build_snapshot(
    snapshot: Snapshot, root: Path, *, candidates: CandidateConfig | None = None, write: Write = write_views
) -> SnapshotFolder:
    """Compute every view of a snapshot into `root/as_of=<day>`, or return that folder when nothing has changed since.

    Unchanged means: equal tables, feature code and candidate configuration, and every file as it was written; anything
    else is computed anew and replaces the folder.
    """
    config = candidates or CandidateConfig()
    about = {
        "as_of": str(snapshot.as_of),
        "zone": snapshot.as_of.zone,
        "tables_digest": snapshot.digest,
        "features_digest": code_digest(),
        "candidates": config.model_dump(mode="json"),
    }
    try:
        existing = SnapshotFolder.open(root, snapshot.as_of)
    except (MissingError, ArtifactError):
        existing = None
    if existing is not None and all(existing.manifest.get(name) == value for name, value in about.items()):
        return existing

    def fill(folder: Path) -> dict[str, Any]:
        rows = write(snapshot, folder, config)
        return {**about, "rows": {str(view): rows[view] for view in View}}

    manifest = write_folder(_folder(root, snapshot.as_of), fill)
    return SnapshotFolder(_folder(root, snapshot.as_of), snapshot.as_of, manifest)


def read_keys(folder: SnapshotFolder, task: Task) -> pd.DataFrame:
    """Read the (n, k) keys of a task's rows, ordered."""
    with duckdb.connect(":memory:") as connection:
        return joined_keys(connection, folder.places, task)


def read_members(folder: SnapshotFolder, task: Task) -> "tuple[np.ndarray, int]":
    """Read the (n,) ordered members who have rows of a task, and how many rows they have together."""
    rows = f"FROM {folder.places[task.views[0]]} WHERE {task.where}"
    with duckdb.connect(":memory:") as connection:
        members = connection.sql(
            f"SELECT member_id, count(*) AS rows {rows} GROUP BY member_id ORDER BY member_id"
        ).df()
    return members["member_id"].to_numpy(dtype=object), int(members["rows"].sum())


def read_activity(folder: SnapshotFolder, members: "np.ndarray") -> "np.ndarray":
    """Read on how many of the last 90 days each of (n,) members, who are all known, bought something."""
    with duckdb.connect(":memory:") as connection:
        connection.register("wanted", pa.table({"member_id": pa.array(members, pa.string())}))
        known = f"wanted JOIN {folder.places[View.MEMBER]} USING (member_id)"
        days = connection.sql(f"SELECT purchase_days_90d FROM {known} ORDER BY member_id").fetchnumpy()
        return np.asarray(days["purchase_days_90d"])


def read_rows(
    folder: SnapshotFolder, task: Task, members: Sequence[str] | None = None, wanted: Container[str] | None = None
) -> Rows:
    """Read a task's rows that a snapshot keeps, see `joined_rows`.

    They equal what Feast's point-in-time join gives for the snapshot's day.

    members: those whose rows are wanted; None = all. wanted: names of features; None = all.
    """
    with duckdb.connect(":memory:") as connection:
        return joined_rows(connection, folder.places, task, folder.as_of, members, wanted)


def code_digest() -> str:
    """Digest of this package, of the modules that say what a snapshot knows, and of the libraries that compute.

    Features computed by other code are other features.
    """
    folders = (files(__package__), files(__package__) / "spark")
    modules = (item for folder in folders for item in folder.iterdir() if item.name.endswith(".py"))
    own = sorted(modules, key=lambda item: item.name)
    sources = (*own, *(files("recsys.data") / name for name in VISIBILITY))
    texts = (part for item in sources for part in (item.name, item.read_text(encoding="utf-8")))
    return text_digest(*texts, *(f"{name} {version(name)}" for name in ENGINES))


def _folder(root: Path, as_of: AsOf) -> Path:
    return root / f"as_of={as_of}"


def _write_members(prepared: Prepared, folder: Path, views: Sequence[View], spans: Sequence[Span]) -> dict[View, int]:
    def computed(span: Span) -> "dict[View, list[pa.Table]]":
        with prepared.part(span) as part:
            return {view: list(part.tables(view)) for view in views}

    with ExitStack() as files:
        writers = {view: files.enter_context(ViewWriter(folder / f"{view}.parquet", view)) for view in views}
        for tables in side_by_side(computed, spans):
            for view, writer in writers.items():
                for table in tables[view]:
                    writer.add(table)
    return {view: writer.rows for view, writer in writers.items()}
