import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import recsys
from recsys.core.config import Settings
from recsys.core.folders import text_digest
from recsys.core.task import Task
from training.workspace import Workspace

CODE = ("core", "data", "features", "labels", "models", "evaluation")


@cache
def code_version() -> str:
    """Return the package's version and a digest of the code that shapes a model."""
    return f"{version('recsys')}+{_digest(*CODE)}"


@cache
def simulator_version() -> str:
    """Return the package's version and a digest of the code that invents shops."""
    return f"{version('recsys')}+{_digest('core', 'data/simulator')}"


def _digest(*folders: str) -> str:
    root = Path(recsys.__file__).parent
    files = sorted(file for folder in folders for file in (root / folder).rglob("*.py"))
    parts = [text for file in files for text in (str(file.relative_to(root)), file.read_text(encoding="utf-8"))]
    return text_digest(*parts)[:12]


def identity(workspace: Workspace, task: Task, config: Settings) -> dict[str, str]:
    """Return all that decides what a fit gives; two fits of equal identity are the same model."""
    made_of = {
        "tables_digest": workspace.tables.digest,
        "code_version": code_version(),
        "horizon": str(task.horizon),
        "config": json.dumps(config.model_dump(mode="json"), sort_keys=True),
        "cutoff_settings": json.dumps(workspace.project.training.model_dump(mode="json"), sort_keys=True),
    }
    margins = json.dumps(workspace.project.margins.model_dump(mode="json"), sort_keys=True)
    return made_of | ({"margins": margins} if "margin" in task.scores else {})
