from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from recsys.artifacts.bundle import ModelBundle, load_bundle
from recsys.artifacts.publication_files import DISCOVERIES
from recsys.core.errors import ArtifactError
from recsys.core.folders import read_manifest, write_folder
from recsys.core.frames import Rows
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.evaluation.metrics import LISTED
from recsys.features.build import SnapshotFolder
from recsys.features.life_stage import needs
from recsys.models.contract import Explained, Selective
from training import listed, why
from training.examples import Examples, learnable, snapshot
from training.listed import LOOKED_AT, Shelves, evidence, foremost
from training.score_files import SCORES, Cut, Foremost, ScoreFiles, Whole
from training.score_rows import stream
from training.screen import Advance
from training.top_share import TopShare
from training.tracking import Registered
from training.why import explained
from training.workspace import Workspace

BUNDLE = "bundle"
EXPLAINED = "churn"
RECOMMEND, NEW_PRODUCT = "recommend", "new_product"

ITEMS = """
    WITH listed AS (
        SELECT product_id, category FROM products
        UNION ALL SELECT product_id, category FROM launches ANTI JOIN products USING (product_id)
    )
    SELECT product_id, coalesce(category, 'unknown') AS category FROM listed
    UNION ALL
    SELECT DISTINCT product_id, 'unknown' FROM orders ANTI JOIN listed USING (product_id) WHERE NOT is_return
"""


def run_score(workspace: Workspace, name: str, text: str) -> None:
    """Score one task, or all, and say where the scores stand."""
    as_of = workspace.as_of(text)
    tasks = learnable(workspace) if name == "all" else workspace.tasks(name)
    left_out = [task for task in tasks if name == "all" and nothing_to_score(workspace, task, as_of)]
    champions = {task: workspace.tracking.champion(task) for task in tasks if task not in left_out}
    with workspace.screen.step("score", len(champions)) as advance:
        folders = score(workspace, champions, snapshot(workspace, as_of), advance)
    for task in tasks:
        told = f"{folders[task] / SCORES}" if task in folders else "nothing to score; left out"
        workspace.screen.say(f"{task}: {told}")


def nothing_to_score(workspace: Workspace, task: str, as_of: AsOf) -> bool:
    """Tell whether a task without a champion has no row at a day either."""
    if workspace.tracking.alias(task, "champion") is not None:
        return False
    return not Examples(workspace, workspace.recipe(task).task).exist((as_of,))


def score(
    workspace: Workspace, models: Mapping[str, Registered], features: SnapshotFolder, advance: Advance
) -> dict[str, Path]:
    """Score every row of tasks at the day of a snapshot; scores of the same model, tables and settings are reused.

    models: what scores, by the name of a folder of scores: that of its task, or one of its own.
    advance: is called with each name as it begins.

    Rows come in parts of some members, are scored and are forgotten, so that memory does not grow with the members.
    Returns a folder for each name. It holds the files of `ScoreFiles` and a manifest that says of what it was made.
    `scores.parquet` has all rows of a task, but for these:

    - of tasks that rank lists, each member's best, `training.keep` by score and `DISCOVERIES` by discovery; of
      recommend without what the member's child has outgrown, and with what `evidence` tells;
    - of launches, the members most likely to buy each, `training.launch_share` of those scored.

    That of churn tells also `why` and `why_share`, see `explained`.
    """
    targets = {name: workspace.home.scores / name / f"as_of={features.as_of}" for name in models}
    made_of = {name: _made_of(workspace, model, features) for name, model in models.items()}
    stale = [name for name in models if not _is_of(targets[name], made_of[name])]
    if not stale:
        return targets
    bundles = {name: load_bundle(workspace.tracking.folder(models[name]) / BUNDLE) for name in stale}
    with TemporaryDirectory(dir=workspace.home.root, prefix=".scores-") as aside:
        told = _write(workspace, bundles, features, Path(aside), advance)
        for name, manifest in told.items():
            write_folder(targets[name], partial(_moved, Path(aside) / name, {**made_of[name], **manifest}))
    return targets


def scored(bundle: ModelBundle, rows: Rows) -> pd.DataFrame:
    """Score some rows: a table with the columns of `score_schema`."""
    table = bundle.model.score(rows).table
    if bundle.task.name == EXPLAINED and isinstance(bundle.model, Explained):
        return table.join(explained(bundle.model, rows))
    return table.join(evidence(rows)) if bundle.task.name == RECOMMEND else table


def looked_at(bundle: ModelBundle) -> frozenset[str]:
    """Name the features that `scored` looks at; of a model that does not say, those that it was taught."""
    model = bundle.model
    own = model.features if isinstance(model, Selective) else frozenset(spec.name for spec in bundle.specs)
    return own | LOOKED_AT if bundle.task.name == RECOMMEND else own


def cut_of(workspace: Workspace, task: Task, as_of: AsOf, members: int) -> Cut:
    """Return what decides which rows of a task are published; members: of whom there are features on that day."""
    settings = workspace.project.training
    if task.name == NEW_PRODUCT:
        return TopShare(settings.launch_share, settings.launch_least, members)
    if task.name not in LISTED:
        return Whole()
    shelves = None
    if task.name == RECOMMEND:
        known = workspace.tables.at(as_of)
        with known.connect() as connection:
            shelves = Shelves.of(connection.execute(ITEMS).df(), needs(known), as_of)
    choose = partial(foremost, item=task.keys[-1], keep=settings.keep, discoveries=DISCOVERIES, shelves=shelves)
    return Foremost(choose)


def _write(
    workspace: Workspace, bundles: Mapping[str, ModelBundle], features: SnapshotFolder, aside: Path, advance: Advance
) -> dict[str, dict[str, Any]]:
    """Write the files of models into folders beside each other; return what their manifests shall say."""
    files: dict[str, ScoreFiles] = {}
    begun: set[str] = set()
    members = int(features.manifest["rows"][View.MEMBER])
    with ExitStack() as stack:
        for name, bundle in bundles.items():
            (aside / name).mkdir()
            cut = cut_of(workspace, bundle.task, features.as_of, members)
            files[name] = stack.enter_context(ScoreFiles(aside / name, bundle.task, cut))
        for name, table in _tables(workspace, bundles, features, aside):
            if name not in begun:
                begun.add(name)
                advance(name)
            files[name].add(table)
        return {name: own.close() for name, own in files.items()}


def _tables(
    workspace: Workspace, bundles: Mapping[str, ModelBundle], features: SnapshotFolder, scratch: Path
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Score the rows of models; the tables of each come in the order of member_id, with all rows of their members."""
    if workspace.spark is not None:
        from training.spark_score import score_parts

        for name, bundle in bundles.items():
            yield from ((name, table) for table in score_parts(workspace.spark, features, bundle, scratch))
        return

    def by_all(rows: Rows) -> list[tuple[str, pd.DataFrame]]:
        return [(name, scored(bundle, rows)) for name, bundle in bundles.items() if bundle.task == rows.task]

    wanted: dict[Task, frozenset[str]] = {}
    for bundle in bundles.values():
        wanted[bundle.task] = wanted.get(bundle.task, frozenset()) | looked_at(bundle)
    for tables in stream(workspace, features, wanted, by_all):
        yield from tables


def _moved(made: Path, manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    for file in made.iterdir():
        file.rename(folder / file.name)
    return manifest


def _made_of(workspace: Workspace, champion: Registered, features: SnapshotFolder) -> dict[str, Any]:
    settings = workspace.project.training
    more: dict[str, Any] = {"why": why.DIGEST} if champion.task == EXPLAINED else {}
    if champion.task in LISTED:
        more = {"keep": settings.keep, "reasons": listed.DIGEST}
    if champion.task == NEW_PRODUCT:
        more = {"share": settings.launch_share, "least": settings.launch_least}
    return {
        "task": champion.task,
        "version": champion.version,
        "as_of": str(features.as_of),
        "tables_digest": workspace.tables.digest,
        "features_digest": features.manifest["features_digest"],
        **more,
    }


def _is_of(folder: Path, made_of: dict[str, Any]) -> bool:
    if not folder.exists():
        return False
    try:
        return made_of.items() <= read_manifest(folder).items()
    except ArtifactError:
        return False
