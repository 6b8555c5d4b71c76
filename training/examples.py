from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.core.frames import Example, Rows
from recsys.core.task import Task
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import Fold, final_cutoffs, plan
from recsys.features.build import SnapshotFolder, build_snapshot
from recsys.labels.outcomes import label
from recsys.labels.truth import bought
from training.feature_store import historical_rows, task_keys
from training.workspace import Workspace


class Examples:
    """The rows of one task at any cutoff, with their labels; each snapshot is computed once, each join done once.

    A cutoff that is only learnt from and has more than `max_rows` rows is thinned: members are drawn, other ones at
    every cutoff, and kept with all their rows, so that shares and probabilities stay what they are. Tests are never
    thinned.
    """

    def __init__(self, workspace: Workspace, task: Task, tests: Collection[AsOf]) -> None:
        self.task = task
        self._workspace = workspace
        self._tests = frozenset(tests)
        self._known: dict[AsOf, Example] = {}

    def __call__(self, as_of: AsOf) -> Example:
        """Return rows through the feature store's point-in-time join, and what happened after."""
        if as_of not in self._known:
            whole = as_of in self._tests
            rows = self.rows(as_of, None if whole else self._workspace.project.training.max_rows)
            self._known[as_of] = Example(rows, label(self._workspace.tables, rows))
        return self._known[as_of]

    def rows(self, as_of: AsOf, at_most: int | None = None) -> Rows:
        """Return the rows alone, as scoring wants them; with `at_most`, those of about so many."""
        snapshot(self._workspace, as_of)
        home = self._workspace.home
        keys = task_keys(home, self.task, as_of)
        return slim(historical_rows(home, self.task, as_of, keys if at_most is None else thin(keys, at_most, as_of)))

    def truth(self, as_of: AsOf) -> pd.DataFrame:
        """Return every (member_id, product_id) bought within the horizon, among the rows or not."""
        return bought(self._workspace.tables, Window.after(as_of, days=self.task.horizon))


def thin(keys: pd.DataFrame, at_most: int, as_of: AsOf) -> pd.DataFrame:
    """Draw members, by a seed that comes from the day, and keep all their rows; about `at_most` rows stay."""
    if len(keys) <= at_most:
        return keys
    member, members = pd.factorize(keys["member_id"], sort=True)
    drawn = np.random.default_rng(as_of.number).random(len(members)) < at_most / len(keys)
    return keys[drawn[member]].reset_index(drop=True)


def slim(rows: Rows) -> Rows:
    """Halve the memory of the numbers: float32 is what every model keeps of them."""
    numbers = {spec.name: np.float32 for spec in rows.specs if spec.kind == "number"}
    return replace(rows, values=rows.values.astype(numbers, copy=False))


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
