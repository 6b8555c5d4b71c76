import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from recsys.core.errors import ConfigError
from recsys.core.frames import Example, TrainingSet
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.evaluation.importance import Explanation, explain
from recsys.models.contract import Model, Trainer

STEP = 28
MIN_HISTORY = 84
REPEATS = {"product_id": "own_product_purchase_days", "subcategory": "own_subcategory_purchase_days"}
"""Column of an item -> the feature that is above 0 when the member has bought the item before."""

Progress = Callable[[int, int, str], None]
"""Called with the steps done, all steps, and what is being done now."""


@dataclass(frozen=True)
class Fold:
    """One test cutoff and the cutoffs that may teach for it.

    trains: oldest first, at least one; what they teach was known at `test`.
    note: what is less than was asked for because the data is short, or "".
    """

    trains: tuple[AsOf, ...]
    test: AsOf
    note: str = ""


@dataclass(frozen=True)
class Result:
    """One scorer on one fold.

    scores: (n, s) `task.scores`, aligned with the fold's rows.
    fit_seconds, score_seconds: wall time of the fit on all training cutoffs and of scoring the test rows.
    """

    scores: pd.DataFrame
    fit_seconds: float
    score_seconds: float


@dataclass(frozen=True)
class FoldResult:
    """What every scorer said of the same test rows, beside what happened.

    rows: (n, ...) the task's keys, the label columns and the features that were carried along.
    results: scorer name -> its scores.
    truth: everything that was bought in the horizon, whether or not it was among the rows (recommend tasks only):
        member_id, the item, `next` (it lay in the member's next basket) and `repeat` (the member had bought it before);
        None = only the rows are judged.
    """

    fold: Fold
    rows: pd.DataFrame
    results: Mapping[str, Result]
    truth: pd.DataFrame | None = None


@dataclass(frozen=True)
class Backtest:
    """Scorers over the same cutoffs, rows and labels; folds oldest test first, each with the same scorers.

    explanation: of one scorer at the newest test, where that was asked for.
    """

    task: Task
    folds: tuple[FoldResult, ...]
    explanation: Explanation | None = field(default=None, repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The scorers, in the order in which they were given."""
        return tuple(self.folds[0].results)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the folds say about short data, each once."""
        return tuple(dict.fromkeys(fold.fold.note for fold in self.folds if fold.fold.note))


def plan(
    first: AsOf,
    end: AsOf,
    needs: int,
    *,
    step: int = STEP,
    tests: int = 2,
    trains: int = 4,
    min_history: int = MIN_HISTORY,
) -> tuple[Fold, ...]:
    """Choose the cutoffs of a back-test, oldest test first.

    All cutoffs lie on the grid end - step * k. A cutoff needs `min_history` days of data before it and `needs` days
    after it (`Task.needs`); a fold's training cutoffs are the latest ones with so many days before its test.

    first, end: the data's days are [first, end).
    tests, trains: how many are wanted; fewer are used, with a note on the folds, when the data is short.
    `ConfigError` when not even one test with one training cutoff fits.
    """
    grid = _grid(first, end, needs, step=step, min_history=min_history)
    gap = _steps(needs, step)
    newest = [index for index in range(tests) if index + gap < len(grid)]
    if tests < 1 or trains < 1:
        raise ConfigError("tests" if tests < 1 else "trains", "must be at least 1")
    if not newest:
        days = min_history + 2 * gap * step
        raise ConfigError(
            "history",
            f"{end.number - first.number} days of orders; a back-test with labels of {needs} days needs {days}",
        )
    folds = []
    for index in reversed(newest):
        teachers = grid[index + gap : index + gap + trains]
        short = [f"{len(newest)} of {tests} test cutoffs"] if len(newest) < tests else []
        short += [f"{len(teachers)} of {trains} training cutoffs at {grid[index]}"] if len(teachers) < trains else []
        note = f"the data is short: {', '.join(short)}" if short else ""
        folds.append(Fold(tuple(reversed(teachers)), grid[index], note))
    return tuple(folds)


def final_cutoffs(
    first: AsOf,
    end: AsOf,
    needs: int,
    *,
    step: int = STEP,
    trains: int = 4,
    min_history: int = MIN_HISTORY,
) -> tuple[AsOf, ...]:
    """Choose the cutoffs that teach the model put to use, oldest first: the latest whose label windows are complete.

    Fewer than `trains` when the data is short; `ConfigError` when there is none.
    """
    grid = _grid(first, end, needs, step=step, min_history=min_history)
    if trains < 1:
        raise ConfigError("trains", "must be at least 1")
    if not grid:
        days = min_history + _steps(needs, step) * step
        raise ConfigError(
            "history",
            f"{end.number - first.number} days of orders; training with labels of {needs} days needs {days}",
        )
    return tuple(reversed(grid[:trains]))


def backtest(
    trainers: Mapping[str, Trainer],
    folds: Sequence[Fold],
    example: Callable[[AsOf], Example],
    progress: Progress,
    *,
    teaching: Callable[[AsOf], Example] | None = None,
    carry: Sequence[str] = (),
    truth: Callable[[AsOf], pd.DataFrame] | None = None,
    explained: str = "",
) -> Backtest:
    """Fit every trainer on each fold's training cutoffs, labelled as they were known at its test, and score its rows.

    example: rows and labels of a cutoff; called once for each cutoff of a fold.
    teaching: the same for cutoffs that are learnt from, where those are thinned; None = `example`.
    carry: features of the rows to keep beside the keys, for slices; those that the rows do not have are left out. What
        tells repeat from explore is always kept.
    truth: for `FoldResult.truth`.
    explained: the trainer whose model of the newest fold is explained on that fold's rows; "" = none.
    """
    if not trainers or not folds:
        raise ConfigError("trainers" if not trainers else "folds", "must not be empty")
    results = []
    explanation = None
    total = len(folds) * len(trainers) * 2
    for number, fold in enumerate(folds):
        done = number * len(trainers) * 2
        models: dict[str, tuple[Model, float]] = {}
        training = TrainingSet(tuple((teaching or example)(as_of) for as_of in fold.trains)).until(fold.test)
        if training is None:
            raise ConfigError("folds", f"no training cutoff has labels that were known at {fold.test}")
        for index, (name, trainer) in enumerate(trainers.items()):
            progress(done + index, total, f"fit {name} for {fold.test}")
            began = time.perf_counter()
            models[name] = trainer.fit(training), time.perf_counter() - began
        task = training.task
        del training  # the largest thing here; the test rows take its place
        test = example(fold.test)
        scored: dict[str, Result] = {}
        for index, (name, (model, fit_seconds)) in enumerate(models.items()):
            progress(done + len(trainers) + index, total, f"score {name} at {fold.test}")
            began = time.perf_counter()
            table = model.score(test.rows).table
            seconds = time.perf_counter() - began
            scored[name] = Result(table[list(task.scores)].reset_index(drop=True), fit_seconds, seconds)
        wanted = [name for name in dict.fromkeys((*REPEATS.values(), *carry)) if name in test.rows.values]
        kept = [name for name in wanted if name not in test.rows.keys and name not in test.labels.y]
        parts = [test.rows.keys, test.labels.y, test.rows.values[kept]]
        rows = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
        if explained in models and fold is folds[-1]:
            explanation = explain(models[explained][0], test.rows)
        results.append(FoldResult(fold, rows, scored, truth(fold.test) if truth else None))
    progress(total, total, "done")
    return Backtest(task, tuple(results), explanation)


def _steps(needs: int, step: int) -> int:
    """Whole steps that cover a label."""
    if needs < 1 or step < 1:
        raise ConfigError("horizon" if needs < 1 else "step", "must be at least 1 day")
    return math.ceil(needs / step)


def _grid(first: AsOf, end: AsOf, needs: int, *, step: int, min_history: int) -> list[AsOf]:
    """All usable cutoffs, newest first."""
    latest = _steps(needs, step)
    earliest = (end.number - first.number - min_history) // step
    return [end.plus(days=-step * count) for count in range(latest, earliest + 1)]
