import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from recsys.answers.overview import remember, standing
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.history import publication_before
from recsys.artifacts.tagging.settings import Segments
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import write_text
from recsys.core.task import Task
from recsys.core.time import AsOf
from training.content import content
from training.examples import Examples, learnable, snapshot
from training.identity import code_version
from training.score import read_scores, score
from training.segments import keep, keep_current, tagged
from training.tracking import Registered
from training.workspace import Workspace

MADE_OF = "MADE_OF.json"


def run_publish(workspace: Workspace, text: str) -> None:
    """Score with every champion and make the publication of a day current, unless it already is."""
    as_of = workspace.as_of(text)
    settings = Segments.of_home(workspace.home.root)
    champions = {name: workspace.tracking.alias(name, "champion") for name in workspace.tasks("all")}
    made_of = {
        "as_of": str(as_of),
        "tables_digest": workspace.tables.digest,
        "features_digest": snapshot(workspace, as_of).manifest["features_digest"],
        "code_version": code_version(),
        "keep": str(workspace.project.training.keep),
        "segments_digest": settings.digest,
        **{name: champion.version for name, champion in champions.items() if champion is not None},
    }
    if (folder := published(workspace, made_of)) is not None:
        workspace.screen.say(f"{folder} is current and of the same tables and models")
        keep_current(workspace.home, workspace.screen, settings)
        return
    before = publication_before(workspace.home.publications, workspace.home.tags, as_of)
    with workspace.screen.step("publish", len(champions) + 4) as advance:
        scores = {}
        for name, champion in champions.items():
            advance(f"score {name}")
            scores[name] = scored(workspace, workspace.recipe(name).task, champion, as_of)
        advance("put together")
        known = {name: champion for name, champion in champions.items() if champion is not None}
        whole = content(workspace.tables, snapshot(workspace, as_of), scores, known)
        advance("tags and segments")
        cut = {} if before is None else {name: one.spec for name, one in before.traits.segments.items()}
        whole = replace(whole, tagged=tagged(settings, workspace.tables.at(as_of), whole.members, cut))
        advance("write")
        folder = write_publication(workspace.home.publications, whole, keep=workspace.project.training.keep)
        write_text(workspace.home.publications / MADE_OF, json.dumps({**made_of, "folder": folder.name}))
        advance("history")
        keep(workspace.home, workspace.screen, settings, Publication.open(folder), before)
        remember(workspace.home.overview, standing(Publication.open(folder)))
    workspace.screen.say(str(folder))


def scored(workspace: Workspace, task: Task, champion: Registered | None, as_of: AsOf) -> pd.DataFrame:
    """Return a task's scores; none where there is nothing to score or the data were too short to learn it.

    `MissingError` when there is, but no champion to do it.
    """
    if champion is not None:
        return read_scores(score(workspace, champion, as_of))
    if task.name in learnable(workspace) and Examples(workspace, task).exist((as_of,)):
        raise MissingError(f"a champion for {task.name}", "recsys promote")
    texts = {name: pd.Series(dtype=object) for name in task.keys}
    return pd.DataFrame({**texts, **{name: pd.Series(dtype=float) for name in task.scores}})


def published(workspace: Workspace, made_of: dict[str, str]) -> Path | None:
    """Return the current publication when it was made of just this and is whole, else None."""
    try:
        current = Publication.open_current(workspace.home.publications)
        known = json.loads((workspace.home.publications / MADE_OF).read_text(encoding="utf-8"))
    except (ArtifactError, MissingError, OSError, ValueError):
        return None
    return current.folder if known == {**made_of, "folder": current.folder.name} else None


def run_materialize(workspace: Workspace, text: str) -> None:
    """Fill the online store with a day's member features, through Feast."""
    from training.feature_store import apply, is_online, materialize

    as_of, place = workspace.as_of(text), workspace.home.online_name
    made_of = json.dumps(snapshot(workspace, as_of).manifest["files"], sort_keys=True)
    if is_online(workspace.home, made_of):
        workspace.screen.say(f"{place}: holds members as of {as_of} already")
        return
    with workspace.screen.step("materialize", 3) as advance:
        advance("features")
        snapshot(workspace, as_of)
        advance("definitions")
        apply(workspace.home)
        advance("rows")
        materialize(workspace.home, as_of, made_of)
    workspace.screen.say(f"{place}: members as of {as_of}")
