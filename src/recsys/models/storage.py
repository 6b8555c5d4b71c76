import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from recsys.core.errors import ArtifactError
from recsys.core.folders import read_manifest, write_folder
from recsys.models.boosted import Boosted
from recsys.models.encoding import Encoder

STATE = "state.json"

M = TypeVar("M")


@dataclass(frozen=True)
class Stored:
    """What a model is made of, as data.

    state: everything but the trees, ready for JSON.
    boosted: named ensembles, in the order in which they were given.
    """

    state: dict[str, Any]
    boosted: dict[str, Boosted]


def save_model(folder: Path, form: str, stored: Stored) -> None:
    """Write one model as a sealed folder of JSON and LightGBM text.

    form: name and version of the format, such as `churn/1`; a change of what `state` means needs another.
    """

    def fill(aside: Path) -> dict[str, Any]:
        parts = {
            name: {"encoder": part.encoder.to_data(), "threads": part.threads} for name, part in stored.boosted.items()
        }
        for name, part in stored.boosted.items():
            part.write(aside / f"{name}.txt")
        text = json.dumps({"state": stored.state, "boosted": parts}, ensure_ascii=False, allow_nan=False)
        (aside / STATE).write_text(text, encoding="utf-8")
        return {"format": form}

    write_folder(folder, fill)


def load_model(folder: Path, form: str, build: Callable[[Stored], M]) -> M:
    """Read what `save_model` wrote, after checking every digest, and build the model of it.

    `ArtifactError` when a file is missing or altered, the format is another, or build finds its data wanting.
    """
    manifest = read_manifest(folder)
    if manifest.get("format") != form:
        raise ArtifactError(folder, f"has the format {manifest.get('format')!r}, not {form!r}")
    try:
        data = json.loads((folder / STATE).read_text(encoding="utf-8"))
        parts = {name: _part(folder, name, part) for name, part in data["boosted"].items()}
        return build(Stored(data["state"], parts))
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(folder / STATE, f"cannot be read as {form}") from error


def _part(folder: Path, name: str, data: dict[str, Any]) -> Boosted:
    return Boosted.read(folder / f"{name}.txt", Encoder.from_data(data["encoder"]), int(data["threads"]))
