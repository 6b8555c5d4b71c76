import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from recsys.answers.overview import remember, standing
from recsys.answers.policy import PLACEMENTS, read_placements
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_source import Query
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.history import publication_before
from recsys.artifacts.tagging.settings import Segments
from recsys.core.errors import ArtifactError, ConfigError, MissingError
from recsys.core.folders import write_text
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.features.build import SnapshotFolder
from recsys.features.life_stage import needs
from recsys.models.recommend import TASK as RECOMMEND
from training.content import content, due, with_needs
from training.examples import Examples, learnable, snapshot
from training.identity import code_version
from training.score import score
from training.score_files import launches_of, scores_of
from training.segments import TAGGED_FROM, asked_for, keep, keep_current, tagged
from training.tags import FEATURES, standings
from training.tracking import Registered
from training.workspace import Workspace

MADE_OF = "MADE_OF.json"
CHALLENGER = "recommend_challenger"
"""The folder of the scores of a model of recommend that a placement tries beside the champion."""


def run_publish(workspace: Workspace, text: str) -> None:
    """Score with every champion and make the publication of a day current, unless it already is."""
    as_of = workspace.as_of(text)
    settings = Segments.of_home(workspace.home.root)
    champions = {name: workspace.tracking.alias(name, "champion") for name in workspace.tasks("all")}
    features = snapshot(workspace, as_of)
    made_of = {
        "as_of": str(as_of),
        "tables_digest": workspace.tables.digest,
        "features_digest": features.manifest["features_digest"],
        "code_version": code_version(),
        "keep": str(workspace.project.training.keep),
        "segments_digest": settings.digest,
        **{name: champion.version for name, champion in champions.items() if champion is not None},
        "challenger": "" if (tried := challenger(workspace)) is None else tried.version,
    }
    if (folder := published(workspace, made_of)) is not None:
        workspace.screen.say(f"{folder} is current and of the same tables and models")
        keep_current(workspace.home, workspace.screen, settings)
        return
    before = publication_before(workspace.home.publications, workspace.home.tags, as_of)
    with workspace.screen.step("publish", len(champions) + 4 + (tried is not None)) as advance:
        known = {name: champion for name, champion in champions.items() if champion is not None}
        for name in (name for name in champions if name not in known):
            hold_nothing(workspace, workspace.recipe(name).task, as_of)
        models = known if tried is None else {**known, CHALLENGER: tried}
        folders = score(workspace, models, features, lambda name: advance(f"score {name}"))
        scores = {name: scores_of(folders.get(name), workspace.recipe(name).task) for name in champions}
        theirs = None if tried is None else (tried.version, scores_of(folders[CHALLENGER], RECOMMEND))
        advance("put together")
        snapped = workspace.tables.at(as_of)
        scores["repurchase"] = with_needs(scores["repurchase"], needs(snapped))
        every = members_with(features, {*FEATURES, *TAGGED_FROM, *asked_for(settings)})
        flags = called(every, scores, as_of)
        whole = content(
            workspace.tables, features, scores, known, flags, theirs, launches_of(folders.get("new_product"))
        )
        advance("tags and segments")
        cut = {} if before is None else {name: one.spec for name, one in before.traits.segments.items()}
        whole = replace(whole, tagged=tagged(settings, snapped, every, flags, cut))
        advance("write")
        folder = write_publication(workspace.home.publications, whole, keep=workspace.project.training.keep)
        write_text(workspace.home.publications / MADE_OF, json.dumps({**made_of, "folder": folder.name}))
        advance("history")
        keep(workspace.home, workspace.screen, settings, Publication.open(folder), before)
        remember(workspace.home.overview, standing(Publication.open(folder)))
    workspace.screen.say(str(folder))


def challenger(workspace: Workspace) -> Registered | None:
    """Return the model of recommend that waits to be promoted, if a placement of the home tries it on somebody."""
    file = workspace.home.root / PLACEMENTS
    if not file.is_file():
        return None
    try:
        placements = read_placements(file).placements
    except ConfigError as error:
        workspace.screen.say(f"{file} is wrong, so the service has refused it and no challenger is published: {error}")
        return None
    if not any(placement.tries for placement in placements.values()):
        return None
    return workspace.tracking.alias("recommend", "challenger")


def hold_nothing(workspace: Workspace, task: Task, as_of: AsOf) -> None:
    """Raise `MissingError` if a task that has no champion has rows to score, and data long enough to learn it."""
    if task.name in learnable(workspace) and Examples(workspace, task).exist((as_of,)):
        raise MissingError(f"a champion for {task.name}", "recsys promote")


def called(members: pd.DataFrame, scores: Mapping[str, Query], as_of: AsOf) -> pd.DataFrame:
    """Return member_id and one column of bool for each standing of the same members.

    members: member_id and the features that standings are told by. scores: churn, and repurchase with needs.
    """
    churn = scores["churn"].over("SELECT member_id, score FROM rows").table().to_pandas()
    return standings(members, churn, due(scores["repurchase"], as_of)).assign(member_id=members["member_id"])


def members_with(folder: SnapshotFolder, features: Collection[str]) -> pd.DataFrame:
    """Read member_id and, of these features, those that the view member has."""
    path = folder.path(View.MEMBER)
    there = [name for name in pq.read_schema(path).names if name in features]
    return pq.read_table(path, columns=["member_id", *there]).to_pandas()


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
    with workspace.screen.step("materialize", 2) as advance:
        advance("definitions")
        apply(workspace.home)
        advance("rows")
        materialize(workspace.home, as_of, made_of)
    workspace.screen.say(f"{place}: members as of {as_of}")
