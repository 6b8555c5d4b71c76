import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from recsys.core.config import Settings
from recsys.core.errors import ArtifactError, RecsysError
from recsys.core.folders import read_manifest, write_folder
from recsys.core.task import FeatureSpec, Task, View
from recsys.core.time import AsOf
from recsys.models.catalog import CATALOG
from recsys.models.contract import Model

FORMAT = "model-bundle/1"
MODEL = "model"


@dataclass(frozen=True)
class ModelBundle:
    """A fitted model with all that is needed to use it, judge it and fit it again.

    task: with the horizon it was fitted for.
    config: the trainer's settings.
    specs: the features of its training rows, in order.
    tables_digest: content of the tables it was fitted on.
    cutoffs: the as_of of each stacked snapshot, oldest first.
    metrics: name -> value, of the back-test that judged it; empty when there was none.
    code_version: version of this library that fitted it.
    """

    task: Task
    model: Model
    config: Settings
    specs: tuple[FeatureSpec, ...]
    tables_digest: str
    cutoffs: tuple[AsOf, ...]
    metrics: dict[str, float]
    code_version: str


def save_bundle(bundle: ModelBundle, folder: Path) -> dict[str, Any]:
    """Write a bundle as one sealed folder, replacing what was there, and return its manifest."""

    def fill(aside: Path) -> dict[str, Any]:
        (aside / MODEL).mkdir()
        bundle.model.save(aside / MODEL)
        manifest = {
            "format": FORMAT,
            "task": asdict(bundle.task),
            "config": bundle.config.model_dump(mode="json"),
            "specs": [asdict(spec) for spec in bundle.specs],
            "tables_digest": bundle.tables_digest,
            "cutoffs": [{"day": str(cutoff), "zone": cutoff.zone} for cutoff in bundle.cutoffs],
            "metrics": bundle.metrics,
            "code_version": bundle.code_version,
        }
        json.dumps(manifest, allow_nan=False)
        return manifest

    return write_folder(folder, fill)


def load_bundle(folder: Path) -> ModelBundle:
    """Read a bundle; every digest is checked before a model file is opened.

    `ArtifactError` when a file is missing, truncated or altered, when the format is unknown, or when the manifest
    names a task that the catalogue does not have.
    """
    manifest = read_manifest(folder)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(folder, f"has the format {manifest.get('format')!r}, not {FORMAT!r}")
    try:
        task = _task(manifest["task"])
        recipe = CATALOG[task.name]
        return ModelBundle(
            task=task,
            model=recipe.load(folder / MODEL, task),
            config=recipe.config.checked(manifest["config"]),
            specs=tuple(FeatureSpec(**{**spec, "view": View(spec["view"])}) for spec in manifest["specs"]),
            tables_digest=manifest["tables_digest"],
            cutoffs=tuple(AsOf(date.fromisoformat(item["day"]), item["zone"]) for item in manifest["cutoffs"]),
            metrics={name: float(value) for name, value in manifest["metrics"].items()},
            code_version=manifest["code_version"],
        )
    except ArtifactError:
        raise
    except (RecsysError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(folder, "has a manifest that this version cannot read") from error


def _task(data: dict[str, Any]) -> Task:
    views = tuple(View(view) for view in data["views"])
    return Task(**{**data, "keys": tuple(data["keys"]), "views": views, "scores": tuple(data["scores"])})
