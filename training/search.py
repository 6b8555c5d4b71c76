import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recsys.core.config import Settings
from recsys.core.errors import ConfigError
from recsys.core.frames import Example
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.evaluation.backtest import Backtest, Fold
from recsys.evaluation.bootstrap import Interval, paired
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import Metric, metric_of
from recsys.models.contract import Recipe
from recsys.models.spaces import Range, changed, space_of, values_of
from training.evaluate import tested
from training.examples import Examples, folds
from training.workspace import Workspace

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

STARTUP = 5
"""Trials that run to their end before any is stopped early for being worse than the median."""


@dataclass(frozen=True)
class Ground:
    """Where a search measures: inner folds of what was known before the cutoffs that models are tested on.

    limit: the first of those cutoffs: every label that is looked at, to learn or to measure, ends at it or before.
    folds: oldest test first.
    """

    task: Task
    limit: AsOf
    folds: tuple[Fold, ...]
    examples: "Remembered"


class Remembered(Examples):
    """Examples whose tests are read once for all trials."""

    def __init__(self, workspace: Workspace, task: Task) -> None:
        super().__init__(workspace, task)
        self._tests: dict[AsOf, Example] = {}

    def test(self, as_of: AsOf) -> Example:
        """Return all rows of a cutoff and what happened after; remembered."""
        if as_of not in self._tests:
            self._tests[as_of] = super().test(as_of)
        return self._tests[as_of]


@dataclass(frozen=True)
class Tried:
    """One trial. number: 0 = the settings in force. value: the deciding metric over all inner folds."""

    number: int
    settings: Settings
    value: float
    test: Backtest


@dataclass(frozen=True)
class Search:
    """What a search found. trials, stopped: how many began, and how many of them were stopped early.

    difference: best minus the settings in force in the deciding metric, with its paired interval over members.
    """

    start: Tried
    best: Tried
    difference: Interval
    trials: int
    stopped: int


Log = Callable[[int, Settings, Mapping[str, float]], None]
"""Called after each trial with its number, its settings and its numbers."""


def ground(workspace: Workspace, task: Task) -> Ground:
    """Lay a search's folds as if the data ended at the first cutoff that `recsys evaluate` tests on.

    `ConfigError` when the data before it are too short.
    """
    limit = folds(workspace, task, workspace.project.training.tests)[0].test
    earlier = replace(workspace, until=limit)
    try:
        laid = folds(earlier, task, workspace.project.training.tests)
    except ConfigError as error:
        rule = f"{error.fields['rule']}; a search looks only at what was known by {limit}, the first test cutoff"
        raise ConfigError("history", rule) from error
    return Ground(task, limit, laid, Remembered(earlier, task))


def search(
    recipe: Recipe,
    start: Settings,
    on: Ground,
    log: Log,
    *,
    trials: int,
    until: float = math.inf,
    seed: int = 0,
) -> Search:
    """Try settings by a tree-structured Parzen estimator, the ones in force first, then the shipped ones.

    start: the settings in force; what the space does not name stays as it is there.
    until: `time.monotonic()` after which no trial begins. The same seed tries the same settings.
    `ConfigError` when the deciding metric is undefined on the inner folds.
    Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011.
    """
    metric = metric_of(recipe.task.name, recipe.task.metric)
    space = space_of(start)
    study = _study(metric, seed)
    study.enqueue_trial(values_of(start, space))
    shipped = values_of(recipe.config(), space)
    if shipped != values_of(start, space) and all(
        space[name].low <= shipped[name] <= space[name].high for name in space
    ):
        study.enqueue_trial(shipped)
    first = best = None
    begun = known = 0
    while begun < trials and (not begun or time.monotonic() < until):
        trial = study.ask()
        values = _suggested(trial, space)
        tried = _try(recipe, changed(start, values) if begun else start, on, metric, trial, study, log)
        begun, known = begun + 1, known + (tried is not None)
        if tried is not None:
            first = first or tried
            best = tried if best is None or tried.value * metric.better > best.value * metric.better else best
        elif first is None:
            break
    if first is None or best is None:
        raise ConfigError("metric", f"{metric.name} is undefined at {', '.join(str(fold.test) for fold in on.folds)}")
    ours, theirs = (next(iter(judge(item.test).values())) for item in (best, first))
    return Search(first, best, paired(ours, theirs, metric), begun, begun - known)


def _study(metric: Metric, seed: int) -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="maximize" if metric.better > 0 else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
    )


def _suggested(trial: "Trial", space: Mapping[str, Range]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, span in space.items():
        if span.whole:
            values[name] = trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
        else:
            values[name] = span.rounded(trial.suggest_float(name, span.low, span.high, log=span.log))
    return values


def _try(
    recipe: Recipe, settings: Settings, on: Ground, metric: Metric, trial: "Trial", study: "Study", log: Log
) -> Tried | None:
    """Measure one trial, fold by fold; None when it was stopped early or its metric is undefined."""
    from optuna.trial import TrialState

    began = time.monotonic()
    trainer = {recipe.task.name: recipe.trainer(settings)}
    parts: list[Backtest] = []
    numbers: dict[str, float] = {}
    for place, fold in enumerate(on.folds):
        parts.append(tested(on.examples, trainer, (fold,), lambda _done, _total, _what: None, explained=""))
        value = metric.value(judge(parts[-1])[recipe.task.name])
        numbers[f"{metric.name}_{fold.test}"] = value
        if math.isfinite(value):
            trial.report(value, place)
            if place + 1 < len(on.folds) and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                log(trial.number, settings, numbers)
                return None
    whole = Backtest(parts[0].task, tuple(part.folds[0] for part in parts))
    value = metric.value(judge(whole)[recipe.task.name])
    log(trial.number, settings, {**numbers, metric.name: value, "seconds": time.monotonic() - began})
    if not math.isfinite(value):
        study.tell(trial, state=TrialState.FAIL)
        return None
    study.tell(trial, value)
    return Tried(trial.number, settings, value, whole)
