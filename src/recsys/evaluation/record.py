"""One scorer's part of a back-test on disk: what a later promotion compares its challenger with."""

from pathlib import Path
from typing import Any

import pandas as pd

from recsys.core.errors import ArtifactError
from recsys.core.folders import MANIFEST, read_manifest, write_folder
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.evaluation.backtest import Backtest, Fold, FoldResult, Result

FORMAT = 2


def save_backtest(test: Backtest, name: str, folder: Path) -> None:
    """Write one scorer's scored rows as a sealed folder: parquet files a fold; an older folder is replaced."""

    def fill(target: Path) -> dict[str, Any]:
        folds = []
        for fold in test.folds:
            fold.rows.to_parquet(target / f"{fold.fold.test}.rows.parquet", index=False)
            fold.results[name].scores.to_parquet(target / f"{fold.fold.test}.scores.parquet", index=False)
            if fold.truth is not None:
                fold.truth.to_parquet(target / f"{fold.fold.test}.truth.parquet", index=False)
            folds.append(
                {
                    "test": str(fold.fold.test),
                    "trains": [str(day) for day in fold.fold.trains],
                    "zone": fold.fold.test.zone,
                    "note": fold.fold.note,
                    "fit_seconds": fold.results[name].fit_seconds,
                    "score_seconds": fold.results[name].score_seconds,
                }
            )
        return {"format": FORMAT, "task": test.task.name, "scorer": name, "folds": folds}

    write_folder(folder, fill)


def load_backtest(folder: Path, task: Task) -> Backtest:
    """Read what `save_backtest` wrote, digests checked; `ArtifactError` when it is not there or of another task."""
    manifest = read_manifest(folder)
    if manifest.get("format") != FORMAT or manifest.get("task") != task.name:
        raise ArtifactError(folder / MANIFEST, f"is no recorded back-test of {task.name}")
    return Backtest(task, tuple(_fold(folder, manifest["scorer"], entry) for entry in manifest["folds"]))


def _fold(folder: Path, name: str, entry: dict[str, Any]) -> FoldResult:
    zone, test = entry["zone"], entry["test"]
    truth = folder / f"{test}.truth.parquet"
    scores = pd.read_parquet(folder / f"{test}.scores.parquet")
    return FoldResult(
        Fold(tuple(AsOf.parse(day, zone) for day in entry["trains"]), AsOf.parse(test, zone), entry["note"]),
        pd.read_parquet(folder / f"{test}.rows.parquet"),
        {name: Result(scores, entry["fit_seconds"], entry["score_seconds"])},
        pd.read_parquet(truth) if truth.is_file() else None,
    )
