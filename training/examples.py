from collections.abc import Callable

import pandas as pd
from recsys.features.build import SnapshotFolder, build_snapshot

from recsys.core.frames import Example, Rows
from recsys.core.task import Task
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import Fold, final_cutoffs, plan
from recsys.labels.outcomes import label
from recsys.labels.truth import bought
from training.feature_store import historical_rows
from training.workspace import Workspace


class Examples:
    """The rows of one task at any cutoff, with their labels; each snapshot is computed once, each join done once."""

    def __init__(self, workspace: Workspace, task: Task) -> None:
        self._workspace = workspace
        self.task = task
        self._known: dict[AsOf, Example] = {}

    def __call__(self, as_of: AsOf) -> Example:
        """Return rows through the feature store's point-in-time join, and what happened after."""
        if as_of not in self._known:
            rows = self.rows(as_of)
            self._known[as_of] = Example(rows, label(self._workspace.tables, rows))
        return self._known[as_of]

    def rows(self, as_of: AsOf) -> Rows:
        """Return the rows alone, as scoring wants them."""
        snapshot(self._workspace, as_of)
        return historical_rows(self._workspace.home, self.task, as_of)

    def truth(self, as_of: AsOf) -> pd.DataFrame:
        """Return every (member_id, product_id) bought within the horizon, among the rows or not."""
        return bought(self._workspace.tables, Window.after(as_of, days=self.task.horizon))


def snapshot(workspace: Workspace, as_of: AsOf) -> SnapshotFolder:
    """Compute the features of a day, or reuse them when nothing changed since."""
    return build_snapshot(workspace.tables.at(as_of), workspace.home.snapshots)


def folds(workspace: Workspace, task: Task, tests: int) -> tuple[Fold, ...]:
    """Lay the folds of a task's back-test by the project's settings."""
    settings = workspace.project.training
    tables = workspace.tables
    return plan(
        tables.first,
        tables.end,
        task.horizon,
        step=settings.step,
        tests=tests,
        trains=settings.trains,
        min_history=settings.min_history,
    )


def last_cutoffs(workspace: Workspace, task: Task) -> tuple[AsOf, ...]:
    """Lay the cutoffs of the model that is put to use."""
    settings = workspace.project.training
    tables = workspace.tables
    return final_cutoffs(
        tables.first,
        tables.end,
        task.horizon,
        step=settings.step,
        trains=settings.trains,
        min_history=settings.min_history,
    )


def needed(workspace: Workspace) -> tuple[AsOf, ...]:
    """Return every day that training and publishing look at, oldest first."""
    days = {workspace.tables.end}
    for name in workspace.tasks("all"):
        task = workspace.recipe(name).task
        days.update(last_cutoffs(workspace, task))
        for fold in folds(workspace, task, tests=1):
            days.update((*fold.trains, fold.test))
    return tuple(sorted(days))


def run_features(workspace: Workspace, text: str) -> None:
    """Compute the snapshot of one day, or all that are needed."""
    days = (workspace.as_of(text),) if text else needed(workspace)
    build_all(workspace, days)
    for as_of in days:
        workspace.screen.say(f"{as_of}: {snapshot(workspace, as_of).folder}")


def build_all(workspace: Workspace, days: tuple[AsOf, ...]) -> None:
    """Compute several snapshots with a progress bar."""
    advance: Callable[[str], None]
    with workspace.screen.step("features", len(days)) as advance:
        for as_of in days:
            advance(str(as_of))
            snapshot(workspace, as_of)
