"""What the service tells of model versions: taken from MLflow and the ledger after each change, left as a file."""

import json
from datetime import UTC, datetime
from pathlib import Path

from recsys.artifacts.shelf import GateTold, Judged, LedgerLine, Shelf, Version, judged, write_shelf
from recsys.store.database import database
from recsys.store.promotions import history
from training.gate import GATE, Gate
from training.tracking import Registered
from training.workspace import Workspace

TOLD = 30
"""So many versions of a task are told of."""
REPORT = "report.json"


def shelve(workspace: Workspace, task: str) -> None:
    """Write down what is to be told of a task's versions."""
    tracking = workspace.tracking
    versions = tracking.versions(task)[:TOLD]
    with database(workspace.home.database) as engine:
        lines = history(engine, task)
    newest = versions[0].params if versions else {}
    shelf = Shelf(
        task=task,
        metric=newest.get("metric", ""),
        horizon=int(newest.get("horizon", 0)),
        versions=tuple(_version(workspace, version) for version in versions),
        ledger=tuple(
            LedgerLine(line.action, line.version, line.forced, line.who, line.why, line.at.isoformat())
            for line in reversed(lines)
        ),
    )
    write_shelf(workspace.home.models, shelf)


def _version(workspace: Workspace, registered: Registered) -> Version:
    folder = workspace.tracking.folder(registered) if registered.aliases else None
    params = registered.params
    return Version(
        version=registered.version,
        made_at=datetime.fromtimestamp(registered.created_ms / 1000, UTC).isoformat(),
        aliases=registered.aliases,
        value=registered.metrics.get(params.get("metric", "")),
        trained_to=params.get("cutoffs", "").rpartition(" ")[2],
        code_version=params.get("code_version", ""),
        gate=None if folder is None else _gate(folder),
        judged=None if folder is None else _judged(folder, registered.task),
    )


def _gate(folder: Path) -> GateTold | None:
    if not (folder / GATE).is_file():
        return None
    gate = Gate.read(folder)
    return GateTold(gate.passed, gate.champion, gate.reason, gate.reason_zh)


def _judged(folder: Path, task: str) -> Judged | None:
    report = folder / REPORT
    return judged(json.loads(report.read_text(encoding="utf-8")), task) if report.is_file() else None
