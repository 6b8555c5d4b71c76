from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from recsys.core.errors import ConfigError
from recsys.core.frames import Example, Rows
from recsys.core.task import Task
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import Fold, final_cutoffs, plan
from recsys.evaluation.metrics import LISTED
from recsys.features.build import SnapshotFolder, build_snapshot, read_activity, read_members, read_rows
from recsys.features.candidates import CandidateConfig
from recsys.features.layers import in_layers
from recsys.labels.outcomes import label
from recsys.labels.truth import bought
from training.workspace import Workspace


class Examples:
    """The rows of one task at any cutoff, with their labels; each snapshot is computed once, each join done once.

    A cutoff that has more rows than the settings allow is thinned: members are drawn, other ones at every cutoff, and
    kept with all their rows, so that shares and probabilities stay what they are. They are drawn in layers of activity;
    those of lists evenly from the members whose pairs the snapshot keeps, who lie in such layers where they are few.
    """

    def __init__(self, workspace: Workspace, task: Task) -> None:
        self.task = task
        self._workspace = workspace
        self._teaching: dict[AsOf, Example] = {}
        self._snapshots: dict[AsOf, SnapshotFolder] = {}

    def test(self, as_of: AsOf) -> Example:
        """Return the rows of a cutoff that is tested on, and what happened after.

        What it would teach is remembered, as the day of a test teaches the model that is put to use.
        """
        settings = self._workspace.project.training
        members, rows = read_members(self._snapshot(as_of), self.task)
        of_members = rows * settings.test_members // max(1, len(members))
        drawn = self._draw(as_of, members, rows, min(settings.test_rows, of_members))
        tested = self._labelled(self._rows(as_of, drawn))
        if as_of not in self._teaching and drawn is None:
            self._teaching[as_of] = self._thinned(tested)
        return tested

    def teaching(self, as_of: AsOf) -> Example:
        """Return the rows of a cutoff that is learnt from, and what happened after; remembered."""
        if as_of not in self._teaching:
            self._teaching[as_of] = self._labelled(self._rows(as_of, self._drawn(as_of)))
        return self._teaching[as_of]

    def taught_by(self, as_of: AsOf) -> str:
        """Say how many of the members who have rows at a cutoff teach, for the record of a model."""
        members, rows = read_members(self._snapshot(as_of), self.task)
        drawn = self._draw(as_of, members, rows, self._at_most)
        taught, share = (len(members), 1.0) if drawn is None else (len(drawn), len(drawn) / max(1, len(members)))
        kept = self._workspace.project.training.kept_members
        among = f"{len(members)}" if kept is None else f"{len(members)} (at most {kept} with candidates)"
        return f"{as_of}: {taught} of {among} members, {share:.1%}"

    def rows(self, as_of: AsOf) -> Rows:
        """Return all rows of a day that its snapshot keeps."""
        return self._rows(as_of, None)

    def truth(self, as_of: AsOf) -> pd.DataFrame:
        """Return the members and items of all that was bought within the horizon, among the rows or not."""
        return bought(self._workspace.tables, Window.after(as_of, days=self.task.horizon), self.task.keys[-1])

    def exist(self, cutoffs: tuple[AsOf, ...]) -> bool:
        """Tell whether the task has a row at any of these cutoffs: who never launches has no launch to score."""
        return any(read_members(self._snapshot(as_of), self.task)[1] for as_of in cutoffs)

    def _rows(self, as_of: AsOf, members: "np.ndarray | None") -> Rows:
        return read_rows(self._snapshot(as_of), self.task, None if members is None else tuple(members))

    def _snapshot(self, as_of: AsOf) -> SnapshotFolder:
        """Return a day's snapshot, which is verified once: that reads all of its files."""
        if as_of not in self._snapshots:
            self._snapshots[as_of] = snapshot(self._workspace, as_of)
        return self._snapshots[as_of]

    @property
    def _at_most(self) -> int:
        settings = self._workspace.project.training
        return settings.list_rows if self.task.name in LISTED else settings.max_rows

    def _drawn(self, as_of: AsOf) -> "np.ndarray | None":
        return self._draw(as_of, *read_members(self._snapshot(as_of), self.task), self._at_most)

    def _draw(self, as_of: AsOf, members: "np.ndarray", rows: int, at_most: int) -> "np.ndarray | None":
        """(d,) of (n,) members who have so many rows of the task together, drawn for about `at_most`; None = all."""
        if rows <= at_most:
            return None
        if self.task.name in LISTED:
            return members[np.random.default_rng(as_of.number).random(len(members)) < at_most / rows]
        count = max(1, len(members) * at_most // rows)
        activity = read_activity(self._snapshot(as_of), members)
        return members[in_layers(activity, count, as_of.number)]

    def _thinned(self, whole: Example) -> Example:
        drawn = self._drawn(whole.rows.as_of)
        if drawn is None:
            return whole
        mask = np.asarray(whole.rows.keys["member_id"].isin(drawn))
        y = whole.labels.y[mask].reset_index(drop=True)
        return Example(whole.rows.take(mask), replace(whole.labels, y=y))

    def _labelled(self, rows: Rows) -> Example:
        return Example(rows, label(self._workspace.tables, rows, self._workspace.project.margins))


def snapshot(workspace: Workspace, as_of: AsOf) -> SnapshotFolder:
    """Compute the features of a day, or reuse them when nothing changed since; on a cluster, with everybody's pairs."""
    known, root = workspace.tables.at(as_of), workspace.home.snapshots
    if workspace.spark is not None:
        from recsys.features.spark.build import write_views_on_spark

        return build_snapshot(known, root, write=partial(write_views_on_spark, workspace.spark))
    return build_snapshot(known, root, candidates=CandidateConfig(kept=workspace.project.training.kept_members))


def folds(workspace: Workspace, task: Task, tests: int) -> tuple[Fold, ...]:
    """Lay the folds of a task's back-test by the project's settings."""
    tables = workspace.tables
    return plan(tables.first, tables.end, task.needs, tests=tests, **_grid(workspace))


def last_cutoffs(workspace: Workspace, task: Task) -> tuple[AsOf, ...]:
    """Lay the cutoffs of the model that is put to use."""
    tables = workspace.tables
    return final_cutoffs(tables.first, tables.end, task.needs, **_grid(workspace))


def _grid(workspace: Workspace) -> dict[str, int]:
    """Return the settings that tests and use share."""
    return workspace.project.training.model_dump(include={"step", "trains", "min_history"})


def learnable(workspace: Workspace) -> tuple[str, ...]:
    """Return the tasks whose labels end early enough for the data to teach and test them; `ConfigError` if none do."""
    found, short = [], None
    for name in workspace.tasks("all"):
        try:
            folds(workspace, workspace.recipe(name).task, tests=1)
            found.append(name)
        except ConfigError as error:
            short = short or error
    if short is not None and not found:
        raise short
    return tuple(found)


def needed(workspace: Workspace) -> tuple[AsOf, ...]:
    """Return every day that training and publishing look at, oldest first."""
    days = {workspace.tables.end}
    for name in learnable(workspace):
        task = workspace.recipe(name).task
        days.update(last_cutoffs(workspace, task))
        for fold in folds(workspace, task, tests=1):
            days.update((*fold.trains, fold.test))
    return tuple(sorted(days))


def run_features(workspace: Workspace, text: str) -> None:
    """Compute the snapshot of one day, or all that are needed."""
    days = (workspace.as_of(text),) if text else needed(workspace)
    build_all(workspace, days)
    workspace.screen.say(f"{workspace.home.snapshots}: {', '.join(map(str, days))}")


def build_all(workspace: Workspace, days: tuple[AsOf, ...]) -> None:
    """Compute several snapshots with a progress bar."""
    advance: Callable[[str], None]
    with workspace.screen.step("features", len(days)) as advance:
        for as_of in days:
            advance(str(as_of))
            snapshot(workspace, as_of)
