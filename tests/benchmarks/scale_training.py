"""What sampling costs: a task's trainer taught by drawn members beside the same taught by all, on one test cutoff.

    python -m tests.benchmarks.scale_training --home DIR --task churn --rows 80000

The home holds ingested tables, of 100,000 simulated members say. Both are fitted on the same cutoffs and judged on the
same rows; told is the deciding metric of each, the difference with its paired 95% interval over members, the share of
members who taught, and the seconds of each fit.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recsys.core.config import Home, Settings
from recsys.core.frames import TrainingSet
from recsys.evaluation.report import build_report
from recsys.models.contract import Model, Trainer
from tests.benchmarks.machine import machine
from training.evaluate import run_backtest
from training.examples import Examples, folds
from training.screen import Screen
from training.settings import Project, TaskSettings, TrainingSettings
from training.workspace import Workspace

EVERY = 1_000_000_000
OWN_LIMITS = ("max_rows", "linear_rows", "novelty_rows")
"""Settings of trainers that draw rows once more."""


@dataclass
class Timed:
    """A trainer that notes how many members taught it and how long that took."""

    inner: Trainer
    members: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def config(self) -> Settings:
        """Of the trainer."""
        return self.inner.config

    def fit(self, training: TrainingSet) -> Model:
        """Fit and note."""
        began = time.perf_counter()
        model = self.inner.fit(training)
        self.seconds += time.perf_counter() - began
        self.members += sum(example.rows.keys["member_id"].nunique() for example in training.examples)
        self.rows += sum(len(example.rows) for example in training.examples)
        return model


class Drawn:
    """A trainer of which only some members' rows are taught: those that the settings would have drawn."""

    def __init__(self, inner: Trainer, examples: Examples) -> None:
        self._inner, self._examples = inner, examples

    @property
    def config(self) -> Settings:
        """Of the trainer."""
        return self._inner.config

    def fit(self, training: TrainingSet) -> Model:
        """Fit on the drawn members of the same cutoffs."""
        return self._inner.fit(
            TrainingSet(tuple(self._examples.teaching(example.rows.as_of) for example in training.examples))
        )


def compare(name: str, rows: int, project: Callable[[int], Workspace]) -> list[str]:
    """Fit both ways, judge, and say what came of it. project: the workspace whose cutoffs teach about so many rows."""
    whole = project(EVERY)
    recipe = whole.recipe(name)
    task = recipe.task
    limits = (limit for limit in OWN_LIMITS if limit in recipe.config.model_fields)
    full = Timed(whole.trainer(recipe, recipe.config.checked(dict.fromkeys(limits, EVERY))))
    sampled = Timed(whole.trainer(recipe))
    drawn = Drawn(sampled, Examples(project(rows), task))
    test = run_backtest(whole, Examples(whole, task), {task.name: drawn, "all": full}, folds(whole, task, 1))
    report = build_report(test, task.name)
    metric = report.metric
    found = {one.name: one for one in report.scorers}
    gap = next(one.difference for one in report.comparisons if one.peer == "all" and one.metric == metric)
    return [
        f"| task | metric | taught by | members x cutoffs | rows | fit | {metric} |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {task.name} | {metric} | {what} | {timed.members:,} | {timed.rows:,} | {timed.seconds:.1f} s "
            f"| {found[key].pooled[metric].value:.4f} |"
            for what, key, timed in (("all", "all", full), (f"drawn, {rows:,} rows", task.name, sampled))
        ),
        f"drawn minus all: {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
        f"share of members who taught: {sampled.members / full.members:.1%}",
    ]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--task", default="churn")
    parser.add_argument("--rows", type=int, default=TrainingSettings().max_rows)
    parser.add_argument("--trains", type=int, default=2)
    parser.add_argument(
        "--kept", type=int, help="members whose candidates the snapshots keep; all of them unless given"
    )
    parser.add_argument("--horizon", type=int, help="days that the label looks ahead; the task's own unless given")
    given = parser.parse_args()

    def project(rows: int) -> Workspace:
        training = TrainingSettings(
            max_rows=rows, list_rows=rows, trains=given.trains, tests=1, min_history=28, kept_members=given.kept
        )
        tasks = {given.task: TaskSettings(horizon=given.horizon)}
        return Workspace(Home(given.home), Project(training=training, tasks=tasks), Screen())

    lines = compare(given.task, given.rows, project)
    sys.stdout.write("\n".join((machine(), "", *lines, "")))


if __name__ == "__main__":
    main()
