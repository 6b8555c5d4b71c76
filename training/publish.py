from pathlib import Path

from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.time import AsOf
from training.content import content
from training.examples import snapshot
from training.score import read_scores, score
from training.workspace import Workspace


def run_publish(workspace: Workspace, text: str) -> None:
    """Score with every champion and make the publication of a day current, unless it already is."""
    as_of = workspace.as_of(text)
    champions = {task: workspace.tracking.champion(task) for task in workspace.tasks("all")}
    versions = {task: champion.version for task, champion in champions.items()}
    if (standing := published(workspace, as_of, versions)) is not None:
        workspace.screen.say(f"{standing} is current and of the same tables and models")
        return
    with workspace.screen.step("publish", len(champions) + 2) as advance:
        scores = {}
        for task, champion in champions.items():
            advance(f"score {task}")
            scores[task] = read_scores(score(workspace, champion, as_of))
        advance("put together")
        whole = content(workspace.tables, snapshot(workspace, as_of), scores, versions)
        advance("write")
        folder = write_publication(workspace.home.publications, whole, keep=workspace.project.training.keep)
    workspace.screen.say(str(folder))


def published(workspace: Workspace, as_of: AsOf, versions: dict[str, str]) -> Path | None:
    """Return the current publication when it is of this day, these tables and these models, else None."""
    try:
        standing = Publication.open_current(workspace.home.publications)
    except (ArtifactError, MissingError):
        return None
    same = (standing.as_of, standing.tables_digest, standing.model_versions)
    return standing.folder if same == (as_of, workspace.tables.digest, versions) else None


def run_materialize(workspace: Workspace, text: str) -> None:
    """Fill the online store with a day's member features, through Feast."""
    from training.feature_store import apply, materialize

    as_of = workspace.as_of(text)
    with workspace.screen.step("materialize", 3) as advance:
        advance("features")
        snapshot(workspace, as_of)
        advance("definitions")
        apply(workspace.home)
        advance("rows")
        materialize(workspace.home, as_of)
    workspace.screen.say(f"{workspace.home.online}: members as of {as_of}")
