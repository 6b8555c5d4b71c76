from pathlib import Path
from typing import Any

import pandas as pd

from recsys.artifacts.bundle import load_bundle
from recsys.core.errors import ArtifactError
from recsys.core.folders import read_manifest, write_folder
from recsys.core.time import AsOf
from recsys.models.contract import Explained
from training.examples import Examples, learnable, snapshot
from training.tracking import Registered
from training.why import DIGEST, explained
from training.workspace import Workspace

BUNDLE = "bundle"
SCORES = "scores.parquet"
EXPLAINED = "churn"


def run_score(workspace: Workspace, name: str, text: str) -> None:
    """Score one task, or all, and say where the scores stand."""
    as_of = workspace.as_of(text)
    tasks = learnable(workspace) if name == "all" else workspace.tasks(name)
    with workspace.screen.step("score", len(tasks)) as advance:
        for task in tasks:
            advance(task)
            if name == "all" and nothing_to_score(workspace, task, as_of):
                workspace.screen.say(f"{task}: nothing to score; left out")
                continue
            folder = score(workspace, workspace.tracking.champion(task), as_of)
            workspace.screen.say(f"{task}: {folder / SCORES}")


def nothing_to_score(workspace: Workspace, task: str, as_of: AsOf) -> bool:
    """Tell whether a task without a champion has no row at a day either."""
    if workspace.tracking.alias(task, "champion") is not None:
        return False
    return not Examples(workspace, workspace.recipe(task).task).exist((as_of,))


def score(workspace: Workspace, champion: Registered, as_of: AsOf) -> Path:
    """Score every row of a task at a day with its champion; scores of the same model and tables are reused.

    The folder holds `scores.parquet` (the task's keys and score columns; for churn also `why` and `why_share`, see
    `explained`) and a manifest that says of what it was made.
    """
    made_of = {
        "task": champion.task,
        "version": champion.version,
        "as_of": str(as_of),
        "tables_digest": workspace.tables.digest,
        "features_digest": snapshot(workspace, as_of).manifest["features_digest"],
        **({"why": DIGEST} if champion.task == EXPLAINED else {}),
    }
    target = workspace.home.scores / champion.task / f"as_of={as_of}"
    if _made_of(target, made_of):
        return target
    bundle = load_bundle(workspace.tracking.folder(champion) / BUNDLE)
    rows = Examples(workspace, bundle.task).rows(as_of)
    table = bundle.model.score(rows).table
    if champion.task == EXPLAINED and isinstance(bundle.model, Explained):
        table = table.join(explained(bundle.model, rows))

    def fill(folder: Path) -> dict[str, Any]:
        table.to_parquet(folder / SCORES, index=False)
        return {**made_of, "rows": len(table)}

    write_folder(target, fill)
    return target


def read_scores(folder: Path) -> pd.DataFrame:
    """Read the score table of a folder."""
    return pd.read_parquet(folder / SCORES)


def _made_of(folder: Path, made_of: dict[str, str]) -> bool:
    if not folder.exists():
        return False
    try:
        return made_of.items() <= read_manifest(folder).items()
    except ArtifactError:
        return False
