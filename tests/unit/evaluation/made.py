"""Invented back-tests: scorers whose quality is known, over members, products and cutoffs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.evaluation.backtest import REPEATS, Backtest, Fold, FoldResult, Result
from recsys.evaluation.judged import Judged, judge
from recsys.models.catalog import CATALOG

FIRST = AsOf(date(2024, 6, 1), "Asia/Shanghai")
Table = Mapping[str, Sequence[object] | np.ndarray]


def task_of(name: str) -> Task:
    """Return a task of the catalogue."""
    return CATALOG[name].task


def fold_of(rows: Table, scorers: Mapping[str, Table], *, number: int = 0, truth: Table | None = None) -> FoldResult:
    """Build the n-th test cutoff."""
    test = FIRST.plus(days=28 * number)
    return FoldResult(
        Fold((test.plus(days=-28),), test),
        pd.DataFrame(rows),
        {name: Result(pd.DataFrame(table), 1.0, 0.5) for name, table in scorers.items()},
        None if truth is None else pd.DataFrame(truth),
    )


def judged_of(rows: Table, scores: Table, *, task: str = "churn", truth: Table | None = None) -> Judged:
    """Judge one scorer at one cutoff."""
    return judge(Backtest(task_of(task), (fold_of(rows, {"it": scores}, truth=truth),)))["it"][0]


def binary(score: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> Judged:
    """Judge scores of as many members."""
    members = [f"m{number}" for number in range(len(y))]
    return judged_of({"member_id": members, "y": np.asarray(y, float)}, {"score": np.asarray(score, float)})


def pairs(seed: int, *, members: int = 12, products: int = 9, levels: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw rows (member_id, product_id, y, soon, the repeat feature, scores with ties) and all that was bought."""
    rng = np.random.default_rng(seed)
    every = pd.MultiIndex.from_product(
        [[f"会员{m}" for m in range(members)], [f"p{p}" for p in range(products)]], names=["member_id", "product_id"]
    ).to_frame(index=False)
    every["y"] = (rng.random(len(every)) < 0.25).astype(float)
    every["soon"] = np.maximum(every["y"], rng.random(len(every)) < 0.2)
    repeat = REPEATS["product_id"]
    every[repeat] = np.where(rng.random(len(every)) < 0.5, rng.integers(1, 5, len(every)), 0).astype(float)
    every["score"] = rng.integers(0, levels, len(every)) / levels
    every["discovery"] = rng.integers(0, levels, len(every)) / levels
    offered = rng.random(len(every)) < 0.7
    bought = every.loc[every["soon"] > 0, ["member_id", "product_id"]].assign(
        repeat=every[repeat] > 0, next=every["y"] > 0
    )
    return every[offered].reset_index(drop=True), bought.reset_index(drop=True)


def churn_backtest(noise: Mapping[str, float], *, members: int = 400, cutoffs: int = 2, seed: int = 0) -> Backtest:
    """Make scorers of the true chance to leave, blurred by normal noise on the logit: the less, the better."""
    rng = np.random.default_rng(seed)
    names = np.array([f"m{number}" for number in range(members)])
    folds = []
    for number in range(cutoffs):
        logit = rng.normal(-1, 1.5, members)
        y = (rng.random(members) < 1 / (1 + np.exp(-logit))).astype(float)
        scores = {
            name: {"score": 1 / (1 + np.exp(-(logit + rng.normal(0, blur, members))))} for name, blur in noise.items()
        }
        folds.append(fold_of({"member_id": names, "y": y}, scores, number=number))
    return Backtest(task_of("churn"), tuple(folds))


def only(test: Backtest, *cutoffs: int) -> Backtest:
    """Keep some folds."""
    return replace(test, folds=tuple(test.folds[number] for number in cutoffs))
