"""The metrics of each task: one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from recsys.core.errors import ConfigError
from recsys.evaluation import amounts, curves, lists
from recsys.evaluation.curves import Statistic
from recsys.evaluation.judged import Floats, Judged, stacked
from recsys.evaluation.lists import DISCOVERY, Aim


@dataclass(frozen=True)
class Metric:
    """One number that a scorer gets.

    statistic: prepares the judged rows; the result turns member weights into values.
    better: 1 when larger is better, -1 when smaller is, 0 when it only describes.
    stacks: whether the pooled value lays all cutoffs' rows together; otherwise it is the mean of the cutoffs' values
        where they are defined, so that a scorer is never asked to rank rows of different cutoffs against each other.
    resampled: whether an interval over members makes sense.
    """

    name: str
    statistic: Callable[[Judged], Statistic]
    better: int = 1
    stacks: bool = False
    resampled: bool = True

    def weigh(self, parts: Sequence[Judged], weights: Floats) -> Floats:
        """Compute the pooled values of a scorer's cutoffs for (r, members) weights: (r,), NaN where undefined."""
        if self.stacks:
            return self.statistic(stacked(parts))(weights)
        values = np.stack([self.statistic(part)(weights) for part in parts])
        known = ~np.isnan(values)
        return curves.ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))

    def value(self, parts: Sequence[Judged]) -> float:
        """Compute the pooled value of a scorer's cutoffs, every member once; NaN where undefined."""
        return float(self.weigh(parts, np.ones((1, parts[0].ground.members)))[0])


def coverage(judged: Judged) -> Statistic:
    """Share of repurchase intervals that hold the day, among those that end before the data does.

    Those alone can be judged without knowing what censoring hides: when nothing was bought up to the end of the data,
    such an interval has missed. Choosing rows by their interval and not by their outcome leaves the nominal share as it
    is; both ends are whole days that belong to the interval, so one that lies between quantiles holds a little more.
    """
    days, observed = _days(judged)
    low, high = judged.score("low_days"), judged.score("high_days")
    held = ((low <= days) & (days <= high)).astype(np.float64)  # NaN days: false
    return curves.mean_of(judged, np.where(high < observed, held, np.nan))


def intervals_judged(judged: Judged) -> Statistic:
    """Share of repurchase intervals that end before the data does: those that `coverage` speaks of."""
    _, observed = _days(judged)
    return curves.mean_of(judged, (judged.score("high_days") < observed).astype(np.float64))


def _days(judged: Judged) -> tuple[Floats, Floats]:
    rows = judged.ground.rows
    return rows["days"].to_numpy(np.float64), rows["observed"].to_numpy(np.float64)


def _probability(column: str = "score", within: int | None = None, suffix: str = "") -> tuple[Metric, ...]:
    def of(statistic: Callable[[Judged, str, int | None], Statistic]) -> Callable[[Judged], Statistic]:
        return lambda judged: statistic(judged, column, within)

    return (
        Metric(f"auc{suffix}", of(curves.auc)),
        Metric(f"pr_auc{suffix}", of(curves.pr_auc)),
        Metric(f"brier{suffix}", of(curves.brier), better=-1, stacks=True),
        Metric(f"log_loss{suffix}", of(curves.log_loss), better=-1, stacks=True),
        Metric(f"ece{suffix}", of(curves.ece), better=-1, stacks=True),
    )


def _lift(percent: int, within: int | None = None) -> Metric:
    return Metric(f"lift_at_{percent}", partial(curves.lift, share=percent / 100, within=within))


def _parts(name: str, statistic: Callable[[Judged, int, Aim], Statistic], k: int) -> tuple[Metric, ...]:
    def of(part: str) -> Callable[[Judged], Statistic]:
        return lambda judged: statistic(judged, k, Aim(part=part))

    return tuple(Metric(f"{name}_at_{k}" + ("" if part == "all" else f"_{part}"), of(part)) for part in lists.PARTS)


_LISTS = (
    *_parts("recall", lists.recall, 10),
    *_parts("recall", lists.recall, 20),
    *_parts("ndcg", lists.ndcg, 10),
    *_parts("hit", lists.hit, 10),
    Metric("recall_at_10_28d", partial(lists.recall, k=10, aim=Aim("soon"))),
    Metric("discovery_recall_at_10", partial(lists.recall, k=10, aim=DISCOVERY)),
    Metric("discovery_ndcg_at_10", partial(lists.ndcg, k=10, aim=DISCOVERY)),
    Metric("repeat_share_at_10", partial(lists.repeat_share, k=10), better=0),
    Metric("coverage_at_10", partial(lists.catalogue_coverage, k=10), better=0, resampled=False),
)
"""Next basket by repeat and explore parts; `28d`: all that was bought in the horizon, 28 days unless set; `discovery`:
first-ever purchases in the horizon, from a list of never-bought items alone."""


def _amounts(amount: str, column: str, suffix: str = "") -> tuple[Metric, ...]:
    def of(statistic: Callable[[Judged, str, str], Statistic]) -> Callable[[Judged], Statistic]:
        return lambda judged: statistic(judged, amount, column)

    return (
        Metric(f"gini{suffix}", of(amounts.gini)),
        Metric(f"spearman{suffix}", of(amounts.spearman)),
        Metric(f"mae{suffix}", of(amounts.mae), better=-1, stacks=True),
        Metric(f"rmse{suffix}", of(amounts.rmse), better=-1, stacks=True),
        Metric(f"decile_error{suffix}", of(amounts.decile_error), better=-1, stacks=True),
        Metric(f"bias{suffix}", of(amounts.bias), better=0, stacks=True),
    )


METRICS: dict[str, tuple[Metric, ...]] = {
    "repurchase": (
        *_probability(within=14),
        _lift(10, within=14),
        *_probability("p7", 7, "_7"),
        *_probability("p28", 28, "_28"),
        Metric("coverage", coverage, better=0, stacks=True),
        Metric("intervals_judged", intervals_judged, better=0, stacks=True),
    ),
    "churn": (*_probability(), _lift(5), _lift(10)),
    "new_product": (*_probability(), _lift(5), _lift(10), Metric("product_ndcg", lists.product_ndcg)),
    "recommend": _LISTS,
    "recommend_subcategory": _LISTS,
    "value": (
        *_amounts("money", "score"),
        *_amounts("purchases", "purchases", "_purchases"),
        *_amounts("margin", "margin", "_margin"),
    ),
}
"""Task name -> its metrics."""

LISTED = ("recommend", "recommend_subcategory")
"""Tasks judged by lists, whose truth is all that members bought, offered or not."""


def metrics_of(task: str) -> tuple[Metric, ...]:
    """All metrics of a task; `ConfigError` when the task has none."""
    if task not in METRICS:
        raise ConfigError("task", f"{task!r} has no metrics; choose one of {', '.join(sorted(METRICS))}")
    return METRICS[task]


def metric_of(task: str, name: str) -> Metric:
    """One metric of a task by name; `ConfigError` when there is none."""
    for metric in metrics_of(task):
        if metric.name == name:
            return metric
    raise ConfigError("metric", f"{name!r} is no metric of {task}")
