"""Feature snapshots: one sealed folder for each as_of, computed once and never changed."""

from collections.abc import Sequence
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
from recsys.core.task import FeatureSpec, Task, View
from recsys.core.time import AsOf
from recsys.data.engine import quoted
from recsys.data.snapshot import Snapshot
from recsys.features import (
    candidates,
    category,
    facts,
    kin,
    launch_affinity,
    life_stage,
    member,
    member_basket,
    member_category,
    member_product,
    member_profile,
    member_subcategory,
    product,
    subcategory,
    totals,
    visits,
)
from recsys.features.assembly import write_view
from recsys.features.candidates import CandidateConfig, stage_candidates
from recsys.features.catalog import features_of
from recsys.features.collaborative import Collaborative, CollaborativeConfig, Factors, neighbour_frame, together
from recsys.features.expression import Relation
from recsys.features.level import LEVELS, PRODUCT, SUBCATEGORY

NEIGHBOURS = "neighbours.parquet"
FACTORS = "factors.npz"
VISIBILITY = ("engine.py", "schema.py", "snapshot.py")
ENGINES = ("duckdb", "implicit", "scipy")

BEFORE_PAIRS = (
    *facts.FACTS,
    *member.SOURCES,
    *member_basket.SOURCES,
    *member_profile.SOURCES,
    *visits.SOURCES,
    *category.SOURCES,
    *product.SOURCES,
    *subcategory.SOURCES,
    *member_category.SOURCES,
    *life_stage.SOURCES,
    *candidates.SOURCES,
    *totals.SOURCES,
    *kin.SOURCES,
)
PAIRS = {
    SUBCATEGORY: member_subcategory.SOURCES,
    PRODUCT: (*member_product.SOURCES, *launch_affinity.SOURCES),
}


@dataclass(frozen=True)
class SnapshotFolder:
    """The features of every view as they were known before `as_of`, sealed.

    folder: holds `<view>.parquet` with the view's keys, its features (float64, null = NaN; or text),
        `event_timestamp` and `created_timestamp` (both as_of's instant, UTC), ordered by keys; `neighbours.parquet` and
        `factors.npz`.
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

    def read(self, view: View) -> pd.DataFrame:
        """Read a view whole."""
        return pd.read_parquet(self.path(view))

    def neighbours(self) -> pd.DataFrame:
        """Read product_id, neighbour_id, score, kind ('similar' or 'together') and rank, 1 = the nearest."""
        return pd.read_parquet(self.folder / NEIGHBOURS)

    def factors(self) -> Factors:
        """Read the ALS factors; all empty when there was nothing to factorise."""
        with np.load(self.folder / FACTORS, allow_pickle=False) as arrays:
            return Factors(**{name: arrays[name] for name in arrays.files})


def build_snapshot(snapshot: Snapshot, root: Path, *, candidates: CandidateConfig | None = None) -> SnapshotFolder:
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
        return {**about, "rows": _write(snapshot, folder, config)}

    manifest = write_folder(_folder(root, snapshot.as_of), fill)
    return SnapshotFolder(_folder(root, snapshot.as_of), snapshot.as_of, manifest)


def read_keys(folder: SnapshotFolder, task: Task) -> pd.DataFrame:
    """Read the (n, k) keys of a task's rows, ordered."""
    names = ", ".join(task.keys)
    with duckdb.connect(":memory:") as connection:
        sql = f"SELECT {names} FROM {_file(folder, task.views[0])} WHERE {task.where} ORDER BY {names}"
        return connection.execute(sql).df()


def read_rows(folder: SnapshotFolder, task: Task, members: Sequence[str] | None = None) -> Rows:
    """Read a task's rows: its first view where `task.where` holds, with its other views joined on their keys.

    members: those whose rows are wanted; None = all.
    A view is joined on its keys among the columns read so far, so a product's `category` can bring the category's own
    features. Values are the features of `task.views`, views in the task's order and features in catalogue order; a row
    that another view does not know has NaN and None there. Numbers are float32, which is what every model keeps of
    them. Rows are ordered by their keys, and equal what Feast's point-in-time join gives for the snapshot's day.
    """
    specs = tuple(spec for view in task.views for spec in features_of(view))
    first, *others = task.views
    wanted = "" if members is None else "AND member_id IN (SELECT member_id FROM wanted)"
    plain = "SELECT * EXCLUDE (event_timestamp, created_timestamp)"
    sql = f"({plain} FROM {_file(folder, first)} WHERE ({task.where}) {wanted})"
    for view in others:
        right = f"({plain} FROM {_file(folder, view)})"
        sql = f"(FROM {sql} LEFT JOIN {right} USING ({', '.join(view.keys)}))"
    columns = [*task.keys, *(_cast(spec) for spec in specs if spec.name not in task.keys)]
    with duckdb.connect(":memory:") as connection:
        if members is not None:
            connection.register("wanted", pa.table({"member_id": pa.array(list(members), pa.string())}))
        ordered = f"SELECT {', '.join(columns)} FROM {sql} ORDER BY {', '.join(task.keys)}"
        table = connection.sql(ordered).to_arrow_table()
    return Rows(task, folder.as_of, _texts(table, task.keys), _values(table, specs), specs)


def _cast(spec: FeatureSpec) -> str:
    return spec.name if spec.kind == "category" else f"CAST({spec.name} AS FLOAT) AS {spec.name}"


def _values(table: pa.Table, specs: Sequence[FeatureSpec]) -> pd.DataFrame:
    """Lay the numbers in one block as they come, as pandas would copy them twice to do so."""
    numbers = [spec.name for spec in specs if spec.kind == "number"]
    block = np.empty((len(numbers), len(table)), dtype=np.float32)
    for at, name in enumerate(numbers):
        block[at] = table.column(name).to_numpy()
    names = [spec.name for spec in specs]
    values = pd.DataFrame(block.T, columns=numbers, copy=False)
    texts = [name for name in names if name not in values]
    return values if not texts else pd.concat([values, _texts(table, texts)], axis=1)[names]


def _texts(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    columns = {name: pd.Series(table.column(name).to_numpy(zero_copy_only=False), dtype=object) for name in names}
    return pd.DataFrame(columns)


def code_digest() -> str:
    """Digest of this package, of the modules that say what a snapshot knows, and of the libraries that compute.

    Features computed by other code are other features.
    """
    own = sorted((item for item in files(__package__).iterdir() if item.name.endswith(".py")), key=lambda i: i.name)
    sources = (*own, *(files("recsys.data") / name for name in VISIBILITY))
    texts = (part for item in sources for part in (item.name, item.read_text(encoding="utf-8")))
    return text_digest(*texts, *(f"{name} {version(name)}" for name in ENGINES))


def _folder(root: Path, as_of: AsOf) -> Path:
    return root / f"as_of={as_of}"


def _file(folder: SnapshotFolder, view: View) -> str:
    return f"read_parquet({quoted(str(folder.path(view)))})"


def _write(snapshot: Snapshot, folder: Path, config: CandidateConfig) -> dict[str, int]:
    """Write a snapshot's files; returns the rows of each view."""
    with snapshot.connect() as connection:

        def stage(relations: tuple[Relation, ...]) -> None:
            for relation in relations:
                sql = relation.sql.format(as_of=snapshot.as_of.number, instant=_micros(snapshot.as_of))
                connection.execute(f"CREATE TEMP {'TABLE' if relation.stored else 'VIEW'} {relation.name} AS {sql}")

        def write(view: View) -> int:
            return write_view(connection, view, snapshot.as_of, folder / f"{view}.parquet")

        stage(BEFORE_PAIRS)
        pairs = {level.pairs for level in LEVELS}
        rows = {view: write(view) for view in View if view not in pairs}
        connection.execute("DROP TABLE purchase")
        for level, relations in PAIRS.items():
            learnt = stage_candidates(connection, level, config)
            stage(relations)
            rows[level.pairs] = write(level.pairs)
            for relation in relations:
                connection.execute(f"DROP {'TABLE' if relation.stored else 'VIEW'} {relation.name}")
            connection.execute(f"DROP TABLE candidate_{level.name}")
            if level is PRODUCT:
                _write_items(connection, learnt.collaborative, config.product.collaborative, folder)
    return {str(view): rows[view] for view in View}


def _write_items(
    connection: duckdb.DuckDBPyConnection, learnt: Collaborative, config: CollaborativeConfig, folder: Path
) -> None:
    product_ids = _ids(connection, "product_id", "product_base", "product_code")
    member_ids = _ids(connection, "member_id", "member_base", "member_code")
    kinds = {"similar": learnt.similar, "together": together(connection, learnt.item_codes, config)}
    neighbour_frame(learnt.item_codes, kinds, product_ids).to_parquet(folder / NEIGHBOURS, index=False)
    factors = Factors(
        member_ids[learnt.member_codes - 1].astype(str),
        product_ids[learnt.item_codes - 1].astype(str),
        learnt.member_factors,
        learnt.item_factors,
    )
    np.savez(folder / FACTORS, **vars(factors))


def _ids(connection: duckdb.DuckDBPyConnection, name: str, table: str, code: str) -> "np.ndarray":
    """(n,) texts in the order of their codes, which count from 1."""
    return np.asarray(
        connection.execute(f"SELECT {name} FROM {table} ORDER BY {code}").fetchnumpy()[name], dtype=object
    )


def _micros(as_of: AsOf) -> int:
    return round(as_of.instant.timestamp()) * 1_000_000
