"""Scoring at scale: models of a simulated shop score its own members, and as many copies of them as one likes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.artifacts.bundle import ModelBundle, load_bundle, save_bundle
from recsys.core.config import Home
from recsys.core.frames import TrainingSet
from recsys.core.parallel import side_by_side
from recsys.core.task import View
from recsys.data.ingest import ingest
from recsys.data.mapping import IngestConfig
from recsys.data.simulator.write import Simulation, simulate
from recsys.features.build import SnapshotFolder
from recsys.features.prepared import Span, prepare
from tests.benchmarks.scale_steps import Clock
from training.examples import Examples, last_cutoffs, snapshot
from training.score import cut_of, looked_at, scored
from training.score_files import ScoreFiles, Whole
from training.score_rows import stored
from training.screen import Screen
from training.settings import Project, TrainingSettings
from training.workspace import Workspace

MEMBERS, DAYS, SEED, PROFILE = 10_000, 240, 11, "grocery"
TASKS = ("churn", "repurchase", "recommend")
COPIED = (View.MEMBER, View.MEMBER_CATEGORY)
"""What churn and repurchase are scored from that tells of members."""


def workspace(root: Path, keep: int = TrainingSettings().keep) -> Workspace:
    """Return the shop's workspace; two thousand members teach which candidates are bought."""
    training = TrainingSettings(trains=1, kept_members=2_000, keep=keep)
    return Workspace(Home(root / "home"), Project(training=training), Screen())


def make_models(root: Path, members: int) -> Mapping[str, float]:
    """Simulate a shop and fit the models on it, unless that was done; tells the seconds of each fit."""
    shop, told = workspace(root), {}
    if not (root / "home" / "tables" / "CURRENT").exists():
        simulate(Simulation(members, DAYS, SEED, PROFILE), root / "shop", lambda *_: None)
        ingest(IngestConfig.load(root / "shop" / "recsys.toml"), shop.home, lambda *_: None)
    for name in TASKS:
        if (root / "bundles" / name).exists():
            continue
        recipe = shop.recipe(name)
        cutoffs, examples = last_cutoffs(shop, recipe.task), Examples(shop, recipe.task)
        training = TrainingSet(tuple(examples.teaching(as_of) for as_of in cutoffs))
        began, trainer = time.perf_counter(), shop.trainer(recipe)
        model = trainer.fit(training)
        told[name] = time.perf_counter() - began
        bundle = ModelBundle(
            recipe.task, model, trainer.config, training.specs, shop.tables.digest, cutoffs, {}, "bench"
        )
        (root / "bundles").mkdir(exist_ok=True)
        save_bundle(bundle, root / "bundles" / name)
    return told


def copy_members(root: Path, members: int) -> Mapping[str, float]:
    """Write a snapshot of so many members: the shop's, over and over, by other names."""
    shop = workspace(root)
    source = snapshot(shop, shop.tables.end)
    target = _copied(root, members)
    if target.exists():
        return {}
    target.mkdir(parents=True)
    copies = max(1, members // int(source.manifest["rows"][View.MEMBER]))
    for view in View:
        table = pq.ParquetFile(source.path(view)).read()
        with pq.ParquetWriter(target / f"{view}.parquet", table.schema) as writer:
            for copy in range(copies if view in COPIED else 1):
                writer.write_table(_renamed(table, copy) if view in COPIED else table, row_group_size=100_000)
    return {}


def score_members(root: Path, members: int, names: tuple[str, ...]) -> Mapping[str, float]:
    """Score every member that `copy_members` wrote, as `recsys score` does; tells the seconds of each task."""
    shop = workspace(root)
    source, copied = snapshot(shop, shop.tables.end), _copied(root, members)
    rows = {str(view): pq.read_metadata(copied / f"{view}.parquet").num_rows for view in View}
    candidates = {**source.manifest["candidates"], "kept": None}
    folder = SnapshotFolder(copied, source.as_of, {**source.manifest, "rows": rows, "candidates": candidates})
    clock, told = Clock(), {}
    for name in names:
        bundle = load_bundle(root / "bundles" / name)
        began = time.process_time()
        with TemporaryDirectory(dir=root) as made, ScoreFiles(Path(made), bundle.task, Whole()) as files:
            for table in stored(folder, bundle.task, looked_at(bundle), partial(scored, bundle)):
                files.add(table)
            files.close()
        told[f"{name} CPU s"] = time.process_time() - began
    return {**told, **clock.spent()}


@dataclass(frozen=True)
class Listed:
    """What lists took: once for all, and for the members that were chosen; see `Clock.spent`.

    members: of the shop; chosen: those listed. rows: their pairs; kept: those of their lists.
    """

    once: Mapping[str, float]
    spent: Mapping[str, float]
    members: int
    chosen: int
    rows: int
    kept: int


def list_members(shop: Workspace, bundle: ModelBundle, parts: int | None = None) -> Listed:
    """Offer members candidates, score them and keep the best, as `recsys score` does; parts: of members, None = all."""
    as_of, clock = shop.tables.end, Clock()
    with (
        TemporaryDirectory(dir=shop.home.root) as scratch,
        TemporaryDirectory(dir=shop.home.root) as made,
        prepare(shop.tables.at(as_of), Path(scratch)) as prepared,
        ScoreFiles(Path(made), bundle.task, cut_of(shop, bundle.task, as_of, len(prepared.members))) as files,
    ):
        once, clock = clock.spent(), Clock()

        wanted = looked_at(bundle)

        def compute(span: Span) -> pd.DataFrame:
            with prepared.part(span, wanted | bundle.task.columns) as part:
                return scored(bundle, part.rows(bundle.task, wanted))

        spans = prepared.spans()
        chosen = spans if parts is None else spans[:: max(1, len(spans) // parts)]
        for table in side_by_side(compute, chosen):
            files.add(table)
        told = files.close()
        some = sum(span.last - span.first + 1 for span in chosen)
        return Listed(once, clock.spent(), len(prepared.members), some, told["rows"], told["kept"])


def recommend_members(root: Path, keep: int) -> Mapping[str, float]:
    """List every member of the shop; tells apart what is done once for all."""
    told = list_members(workspace(root, keep), load_bundle(root / "bundles" / "recommend"))
    whole = {name: told.once[name] + told.spent[name] for name in told.spent}
    return {"once CPU s": told.once["cpu"], "members": told.members, "rows": told.rows, "kept": told.kept, **whole}


def _copied(root: Path, members: int) -> Path:
    return root / f"copied-{members}"


def _renamed(table: pa.Table, copy: int) -> pa.Table:
    names = pa.array([f"{copy:05d}-{member}" for member in table.column("member_id").to_pylist()], pa.string())
    return table.set_column(table.column_names.index("member_id"), table.schema.field("member_id"), names)
