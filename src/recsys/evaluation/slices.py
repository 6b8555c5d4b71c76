"""How a model fares on parts of the rows: new and old members, busy and quiet ones, each category, cold and warm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from recsys.core.task import Task
from recsys.evaluation.backtest import Backtest, FoldResult, Result
from recsys.evaluation.bootstrap import RESAMPLES, Interval, Verdict, paired, verdict_of
from recsys.evaluation.judged import Codes, Floats, judge
from recsys.evaluation.metrics import LISTED, metric_of

PARTS = 4
VALUES = 8
OTHERS = "others"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cut:
    """One way to part rows.

    name: for people. column: a key, or a feature that the back-test carried.
    edges: the last number of each part but the last one; empty = quarters of equal mass. Text is parted by its values,
        the commonest ones first.
    parts: what to call the parts; empty = by their numbers.
    """

    name: str
    column: str
    edges: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()


OF_MEMBERS = (
    Cut("tenure: days since the first purchase", "days_since_first_purchase"),
    Cut("activity: purchase days in 90 days", "purchase_days_90d"),
    Cut("cold or warm", "purchase_days", (2,), ("cold: at most 2 purchase days", "warm: more than 2")),
    Cut("main category", "main_category"),
)
OF_ROWS = (
    Cut("category", "category"),
    Cut("category", "product_category"),
)


@dataclass(frozen=True)
class Slice:
    """The deciding metric on one part of the rows of all cutoffs.

    cut: how the rows were parted. part: which part this is. rows: how many there are, over all cutoffs.
    model, theirs: values of the model and of the peer; NaN where undefined. peer: the best one over all rows; "" when
    there is none, and then the difference and the verdict say nothing.
    """

    cut: str
    part: str
    rows: int
    model: float
    peer: str
    theirs: float
    difference: Interval
    verdict: Verdict


def cuts_of(task: Task) -> tuple[Cut, ...]:
    """Return the ways to part a task's rows; a list is judged whole, so its rows are parted by their members only."""
    return OF_MEMBERS if task.name in LISTED else (*OF_MEMBERS, *OF_ROWS)


def carried(task: Task) -> tuple[str, ...]:
    """Return the features that a back-test has to carry for the slices."""
    return tuple(cut.column for cut in cuts_of(task) if cut.column not in task.keys)


def slices(test: Backtest, model: str, peer: str, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Slice, ...]:
    """Judge a model beside one peer ("" = none) on the parts of every cut whose column the back-test has."""
    found = []
    names = (model, peer) if peer else (model,)
    for cut in cuts_of(test.task):
        if not all(cut.column in fold.rows for fold in test.folds):
            continue
        labels, codes = parts_of([fold.rows[cut.column] for fold in test.folds], cut)
        for number, label in enumerate(labels):
            part = _only(test, names, [code == number for code in codes])
            if part.folds:
                found.append(_judged(part, cut, label, names, resamples=resamples, seed=seed))
    return tuple(found)


def parts_of(columns: list["pd.Series[Any]"], cut: Cut) -> tuple[tuple[str, ...], list[Codes]]:
    """Label the parts of a cut and tell the part of every row, the same parts for all cutoffs' columns."""
    every = pd.concat(columns, ignore_index=True)
    numeric = pd.api.types.is_numeric_dtype(every)
    labels, codes = _numbers(every, cut) if numeric else _texts(every)
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return labels, np.split(codes, ends)


def _numbers(every: "pd.Series[Any]", cut: Cut) -> tuple[tuple[str, ...], Codes]:
    values = every.to_numpy(np.float64)
    known = values[~np.isnan(values)]
    inner = np.linspace(0, 1, PARTS + 1)[1:-1]
    edges = np.asarray(cut.edges) if cut.edges else np.unique(np.quantile(known, inner)) if len(known) else np.empty(0)
    edges = edges[edges < known.max(initial=-np.inf)]
    codes = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
    return (*_names(edges, cut), UNKNOWN), codes.astype(np.int64)


def _names(edges: Floats, cut: Cut) -> tuple[str, ...]:
    if len(cut.parts) == len(edges) + 1:
        return cut.parts
    if not len(edges):
        return ("all",)
    middle = (f"> {low:g}, ≤ {high:g}" for low, high in pairwise(edges))
    return (f"≤ {edges[0]:g}", *middle, f"> {edges[-1]:g}")


def _texts(every: "pd.Series[Any]") -> tuple[tuple[str, ...], Codes]:
    known = every.notna().to_numpy()
    counts = every[known].astype(str).value_counts()
    common = pd.Index(sorted(counts.index, key=lambda value: (-int(counts[value]), str(value)))[:VALUES])
    codes = common.get_indexer(pd.Index(every.astype(str)))
    codes = np.where(known, np.where(codes < 0, len(common), codes), len(common) + 1)
    return (*(str(value) for value in common), OTHERS, UNKNOWN), codes.astype(np.int64)


def _only(test: Backtest, names: Iterable[str], masks: list["np.ndarray"]) -> Backtest:
    """Keep some scorers and rows; cutoffs without such rows are left out."""
    chosen = tuple(names)
    kept = (_rows(fold, chosen, np.flatnonzero(mask)) for fold, mask in zip(test.folds, masks, strict=True))
    return replace(test, folds=tuple(fold for fold in kept if len(fold.rows)))


def _rows(fold: FoldResult, names: tuple[str, ...], place: Codes) -> FoldResult:
    results: Mapping[str, Result] = {
        name: replace(fold.results[name], scores=fold.results[name].scores.iloc[place].reset_index(drop=True))
        for name in names
    }
    return replace(fold, rows=fold.rows.iloc[place].reset_index(drop=True), results=results)


def _judged(part: Backtest, cut: Cut, label: str, names: tuple[str, ...], *, resamples: int, seed: int) -> Slice:
    metric = metric_of(part.task.name, part.task.metric)
    judged = judge(part)
    values = {name: metric.value(judged[name]) for name in names}
    peer = names[1] if len(names) > 1 else ""
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    difference = paired(judged[names[0]], judged[peer], metric, resamples=resamples, seed=seed) if peer else nothing
    return Slice(
        cut=cut.name,
        part=label,
        rows=sum(len(fold.rows) for fold in part.folds),
        model=values[names[0]],
        peer=peer,
        theirs=values.get(peer, float("nan")),
        difference=difference,
        verdict=verdict_of(difference, metric.better),
    )
