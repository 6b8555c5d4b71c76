import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.core.task import Task
from recsys.evaluation.backtest import Backtest, FoldResult, Result
from recsys.evaluation.bootstrap import RESAMPLES, Interval, paired
from recsys.evaluation.judged import judge
from recsys.evaluation.metrics import metric_of

ONLY = "only"
_JUDGED = {
    True: ("not significantly worse", "未显著变差"),
    False: ("significantly worse", "显著变差"),
    None: ("undefined", "无法判断"),
}
"""What is said of a challenger that passed or did not; None = nothing can be said."""


@dataclass(frozen=True)
class GateVerdict:
    """Whether a challenger may take the champion's place, and what that rests on.

    metric: the task's deciding metric. reason, reason_zh: in English and Chinese. difference: challenger minus champion
    with its paired interval; NaN when undefined. cutoffs: ISO days of the test cutoffs that both have. rows: rows that
    both scored there.
    """

    task: str
    metric: str
    passed: bool
    reason: str
    reason_zh: str
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
    pairs = [
        _comparable(fold, theirs[fold.fold.test], task)
        for fold in challenger.folds
        if fold.fold.test in theirs and champion.task.name == task.name
    ]
    pairs = [(mine, other) for mine, other in pairs if len(mine.rows) and len(other.rows)]
    cutoffs, rows = tuple(str(mine.fold.test) for mine, _ in pairs), sum(len(mine.rows) for mine, _ in pairs)
    undefined = Interval(float("nan"), float("nan"), float("nan"))
    if not pairs:
        return GateVerdict(
            task.name,
            metric.name,
            passed=False,
            reason="the two were never tested on the same rows of the same cutoff",
            reason_zh="两者没有在相同截点的相同行上测试过",
            difference=undefined,
            cutoffs=cutoffs,
            rows=rows,
        )
    ours, others = (judge(Backtest(task, folds))[ONLY] for folds in zip(*pairs, strict=True))
    found = paired(ours, others, metric, resamples=resamples, seed=seed, level=level)
    best = max(found.low * metric.better, found.high * metric.better)
    passed = math.isfinite(best) and best >= 0
    words, words_zh = _JUDGED[passed if math.isfinite(best) else None]
    numbers = f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    reason = f"{metric.name} {numbers} against the champion: {words}"
    reason_zh = f"{metric.name} 相对冠军 {numbers}：{words_zh}"
    return GateVerdict(task.name, metric.name, passed, reason, reason_zh, found, cutoffs, rows)


def _comparable(ours: FoldResult, theirs: FoldResult, task: Task) -> tuple[FoldResult, FoldResult]:
    """Keep of both what can be compared: the rows of common members where the truth is known, else the common rows.

    Both have the same members in the same order then, which is what pairs them; labels and truth are ours.
    """
    if ours.truth is not None:
        return _of_members(ours, theirs), replace(_of_members(theirs, ours), truth=ours.truth)
    keys = list(task.keys)
    place = pd.MultiIndex.from_frame(theirs.rows[keys]).get_indexer(pd.MultiIndex.from_frame(ours.rows[keys]))
    kept = _kept(ours, np.flatnonzero(place >= 0))
    return kept, replace(_kept(theirs, place[place >= 0]), rows=kept.rows)


def _of_members(fold: FoldResult, other: FoldResult) -> FoldResult:
    """Keep the rows of the members that the other has too, ordered by member."""
    member = fold.rows["member_id"].to_numpy(dtype=object)
    order = np.argsort(member, kind="stable")
    return _kept(fold, order[np.isin(member[order], other.rows["member_id"].to_numpy(dtype=object))])


def _kept(fold: FoldResult, place: "np.ndarray") -> FoldResult:
    """Take rows of the first scorer by their places."""
    scores = next(iter(fold.results.values())).scores
    result = Result(scores.iloc[place].reset_index(drop=True), 0.0, 0.0)
    return replace(fold, rows=fold.rows.iloc[place].reset_index(drop=True), results={ONLY: result})
