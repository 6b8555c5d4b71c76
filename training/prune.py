import shutil
from pathlib import Path

from recsys.core.errors import ArtifactError
from recsys.core.folders import POINTER, current, read_manifest
from recsys.core.time import AsOf
from training.examples import needed
from training.workspace import Workspace


def prune(workspace: Workspace) -> int:
    """Remove old publications and the snapshots that neither training nor a publication needs; returns how many.

    The current publication stays, and the last ones by day (`[retrain] publications`). Snapshots can be computed again;
    scores are kept, as what came of them is judged later.
    """
    root = workspace.home.publications
    kept = _latest(root, workspace.project.retrain.publications)
    stale = [folder for folder in root.glob("[0-9]*") if folder.is_dir() and folder not in kept]
    days = {str(day) for day in (*needed(workspace), *kept.values())}
    snapshots = workspace.home.snapshots.glob("as_of=*")
    stale += [folder for folder in snapshots if folder.name.removeprefix("as_of=") not in days]
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def _latest(root: Path, count: int) -> dict[Path, AsOf]:
    """Return the publications to keep with their days; one that cannot be read is none of them."""
    days = {}
    for folder in root.glob("[0-9]*"):
        try:
            manifest = read_manifest(folder, verify=False)
        except ArtifactError:
            continue
        days[folder] = AsOf.parse(manifest["as_of"], manifest["zone"])
    serving = current(root) if (root / POINTER).is_file() else None
    order = sorted(days, key=lambda folder: (folder == serving, days[folder]), reverse=True)
    return {folder: days[folder] for folder in order[:count]}
