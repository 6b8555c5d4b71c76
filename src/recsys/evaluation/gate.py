import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.evaluation.backtest import Backtest, FoldResult, Result
from recsys.evaluation.bootstrap import RESAMPLES, Interval, paired
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import metric_of

CHALLENGER, CHAMPION = "challenger", "champion"


@dataclass(frozen=True)
class GateVerdict:
    """Whether a challenger may take the champion's place, and what that rests on.

    metric: the task's deciding metric. difference: challenger minus champion with its paired interval; NaN when
    undefined. cutoffs: ISO days of the test cutoffs that both have. rows: rows that both scored there.
    """

    task: str
    metric: str
    passed: bool
    reason: str
    difference: Interval
    cutoffs: tuple[str, ...]
    rows: int


def no_worse(
    challenger: Backtest, champion: Backtest, *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> GateVerdict:
    """Compare the first scorer of two back-tests on the cutoffs that both have.

    Where everything that was bought is known, each is judged with the rows it named itself, so that better candidates
    count; otherwise on the rows that both have. The challenger passes unless it is significantly worse: unless the
    whole interval of the difference lies on the worse side of 0. Labels are the challenger's. Without common rows, or
    with an undefined metric, it does not pass.
    """
    task = challenger.task
    metric = metric_of(task.name, task.metric)
    theirs = {fold.fold.test: fold for fold in champion.folds}
    both = [
        _common(fold, theirs[fold.fold.test], challenger, champion)
        for fold in challenger.folds
        if fold.fold.test in theirs and champion.task.name == task.name
    ]
    both = [fold for fold in both if len(fold.rows)]
    cutoffs, rows = tuple(str(fold.fold.test) for fold in both), sum(len(fold.rows) for fold in both)
    undefined = Interval(float("nan"), float("nan"), float("nan"))
    if not both:
        reason = "the two were never tested on the same rows of the same cutoff"
        return GateVerdict(
            task.name, metric.name, passed=False, reason=reason, difference=undefined, cutoffs=cutoffs, rows=rows
        )
    judged = judge(Backtest(task, tuple(both)))
    found = paired(judged[CHALLENGER], judged[CHAMPION], metric, resamples=resamples, seed=seed, level=level)
    best = max(found.low * metric.better, found.high * metric.better)
    passed = math.isfinite(best) and best >= 0
    words = "not significantly worse" if passed else "significantly worse" if math.isfinite(best) else "undefined"
    numbers = f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    reason = f"{metric.name} {numbers} against the champion: {words}"
    return GateVerdict(task.name, metric.name, passed, reason, found, cutoffs, rows)


def _common(ours: FoldResult, theirs: FoldResult, challenger: Backtest, champion: Backtest) -> FoldResult:
    keys = list(challenger.task.keys)
    if ours.truth is not None:
        return _either(ours, theirs, challenger, champion)
    place = pd.MultiIndex.from_frame(theirs.rows[keys]).get_indexer(pd.MultiIndex.from_frame(ours.rows[keys]))
    mine = np.flatnonzero(place >= 0)
    scores = {
        CHALLENGER: ours.results[challenger.names[0]].scores.iloc[mine],
        CHAMPION: theirs.results[champion.names[0]].scores.iloc[place[mine]],
    }
    results = {name: Result(table.reset_index(drop=True), 0.0, 0.0) for name, table in scores.items()}
    return FoldResult(ours.fold, ours.rows.iloc[mine].reset_index(drop=True), results, ours.truth)


def _either(ours: FoldResult, theirs: FoldResult, challenger: Backtest, champion: Backtest) -> FoldResult:
    """Lay both scorers' rows together; a row that a scorer did not name stands below all that it did."""
    keys = list(challenger.task.keys)
    mine, others = (pd.MultiIndex.from_frame(fold.rows[keys]) for fold in (ours, theirs))
    rows = pd.concat([ours.rows, theirs.rows[~others.isin(mine)]], ignore_index=True)
    every = pd.MultiIndex.from_frame(rows[keys])
    scores = {
        CHALLENGER: _placed(ours.results[challenger.names[0]].scores, mine, every),
        CHAMPION: _placed(theirs.results[champion.names[0]].scores, others, every),
    }
    return FoldResult(ours.fold, rows, {name: Result(table, 0.0, 0.0) for name, table in scores.items()}, ours.truth)


def _placed(scores: pd.DataFrame, known: pd.MultiIndex, every: pd.MultiIndex) -> pd.DataFrame:
    place = known.get_indexer(every)
    table = scores.iloc[place].reset_index(drop=True)
    return table.mask(pd.Series(place < 0), scores.min() - 1, axis=1)
