"""The whole life of a home's models in one command: what a scheduler calls every night."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from recsys.core.errors import PromotionError, RecsysError
from recsys.core.folders import current, write_text
from recsys.store.database import database
from recsys.store.promotions import history
from training.alone import alone
from training.examples import build_all, needed
from training.fit import train_task
from training.identity import code_version
from training.ingest import run_ingest
from training.measure import peak_megabytes
from training.promote import promote
from training.prune import prune
from training.publish import run_materialize, run_publish
from training.screen import Screen
from training.workspace import Workspace

MARK = "retrained.json"
WHY = "retrained on new data"


class Steps:
    """The steps that were taken, each with its outcome and seconds; an error is told and raised again."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._rows: list[tuple[str, str, float]] = []

    def take(self, title: str, work: Callable[[], str]) -> None:
        """Do one step, which says what came of it."""
        began = time.perf_counter()
        outcome = "failed"
        try:
            outcome = work()
        except RecsysError as error:
            outcome = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._rows.append((title, outcome, time.perf_counter() - began))

    def show(self) -> None:
        """Print them all."""
        table = Table("step", "outcome", "seconds")
        for title, outcome, seconds in self._rows:
            table.add_row(title, outcome, f"{seconds:.1f}")
        self._screen.show(table)
        self._screen.say(f"peak {peak_megabytes():.0f} MB")


def run_retrain(workspace: Workspace, config: Path, sample: str, who: str) -> None:
    """Ingest new days, train, promote what its gate lets through, publish, fill the online store, clear away.

    Nothing is done when neither tables, settings, code nor champions changed since the last run that came to its end.
    A task whose gate refuses, or whose training fails, keeps its champion, the others go on, and the new day is
    published; then the first such error is raised. Each step makes its result current in one move, so that a crash
    leaves the state before it, and the next run goes on from there. `BusyError` when another run is at work.
    """
    with alone(workspace.home, "retrain"):
        steps = Steps(workspace.screen)
        try:
            steps.take("ingest", lambda: ingested(workspace, config, sample))
            failed = follow(replace(workspace), steps, who)
        finally:
            steps.show()
    for error in failed[1:]:
        workspace.screen.say(f"{type(error).__name__}: {error}")
    if failed:
        raise failed[0]


def follow(workspace: Workspace, steps: Steps, who: str) -> list[RecsysError]:
    """Take the steps after ingestion; returns what went wrong with single tasks."""
    mark = workspace.home.run / MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == state(workspace):
        workspace.screen.say(f"nothing new: tables up to {workspace.tables.end}, settings and champions are as before")
        return []
    steps.take("features", lambda: features(workspace))
    failed: list[RecsysError] = []
    for task in workspace.tasks("all"):
        try:
            steps.take(task, lambda task=task: renewed(workspace, task, who))  # type: ignore[misc]
        except RecsysError as error:
            failed.append(error)
    steps.take("publish", lambda: published(workspace))
    steps.take("online store", lambda: materialized(workspace))
    steps.take("clear away", lambda: f"{prune(workspace)} old folders")
    if all(isinstance(error, PromotionError) for error in failed):
        write_text(mark, state(workspace))
    return failed


def state(workspace: Workspace) -> str:
    """Write down all that a run depends on, and what it leaves."""
    champions = {task: workspace.tracking.alias(task, "champion") for task in workspace.tasks("all")}
    folder = current(workspace.home.publications)
    about = {
        "tables_digest": workspace.tables.digest,
        "end": str(workspace.tables.end),
        "code_version": code_version(),
        "project": workspace.project.model_dump(mode="json"),
        "champions": {task: None if found is None else found.version for task, found in champions.items()},
        "publication": None if folder is None else folder.name,
    }
    return json.dumps(about, sort_keys=True, ensure_ascii=False)


def ingested(workspace: Workspace, config: Path, sample: str) -> str:
    """Ingest; says up to which day."""
    before = current(workspace.home.tables)
    run_ingest(workspace, config, sample)
    unchanged = before is not None and current(workspace.home.tables) == before
    return f"{'unchanged' if unchanged else 'stored'}, up to {replace(workspace).tables.end}"


def features(workspace: Workspace) -> str:
    """Compute every snapshot that training and publishing look at."""
    days = needed(workspace)
    build_all(workspace, days)
    return f"{len(days)} days"


def renewed(workspace: Workspace, task: str, who: str) -> str:
    """Train one task and promote it, unless a person rolled it back: then a person must promote it again."""
    registered = train_task(workspace, task)
    if registered is None:
        return "left out"
    if "challenger" not in registered.aliases:
        return f"version {registered.version} stays the champion"
    with database(workspace.home.database) as engine:
        lines = history(engine, task)
    if lines and lines[-1].action == "rollback":
        last = lines[-1]
        reason = f"{last.who} rolled back to version {last.version} on {last.at:%Y-%m-%d}; `recsys promote` takes it up"
        raise PromotionError(task, registered.version, reason)
    promote(workspace, task, who=who, why=WHY, force=False)
    return f"version {registered.version} is the champion"


def published(workspace: Workspace) -> str:
    """Publish the day after the data with the champions."""
    run_publish(workspace, "")
    folder = current(workspace.home.publications)
    return folder.name if folder is not None else "nothing"


def materialized(workspace: Workspace) -> str:
    """Fill the online store with the same day."""
    run_materialize(workspace, "")
    return f"members as of {workspace.tables.end}"
