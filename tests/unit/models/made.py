"""Training sets with a known truth, made without a shop."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.task import FeatureSpec, Task
from recsys.core.time import AsOf, Window

START = AsOf.parse("2025-01-01")


def spec(name: str, task: Task, *, kind: str = "number") -> FeatureSpec:
    return FeatureSpec(name, task.views[0], kind, "-", "unknown", name, "source", name)


def specs(task: Task) -> tuple[FeatureSpec, ...]:
    return (spec("strong", task), spec("weak", task), spec("noise", task), spec("kind", task, kind="category"))


def make_rows(task: Task, count: int, *, seed: int, cutoff: int = 0) -> Rows:
    """Rows of so many members (with one second key where the task has one); a tenth of the values are unknown."""
    rng = np.random.default_rng(seed)
    keys = pd.DataFrame({"member_id": [f"m{number:05d}" for number in range(count)]})
    for name in task.keys[1:]:
        keys[name] = [f"{name}-{number % 7}" for number in range(count)]
    values = pd.DataFrame(
        {
            "strong": rng.normal(size=count),
            "weak": rng.normal(size=count),
            "noise": np.where(rng.random(count) < 0.1, np.nan, rng.normal(size=count)),
            "kind": rng.choice(np.array(["红", "blue", "green", None], dtype=object), count),
        }
    )
    return Rows(task, START.plus(days=28 * cutoff), keys, values, specs(task))


def truth(rows: Rows) -> np.ndarray:
    """The chance that y is 1."""
    values = rows.values
    log_odds = 1.5 * values["strong"] + 0.5 * values["weak"] + (values["kind"] == "红") - 1.5
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def make_binary(task: Task, count: int, *, cutoffs: int, seed: int = 0) -> TrainingSet:
    rng = np.random.default_rng(seed)
    examples = []
    for cutoff in range(cutoffs):
        rows = make_rows(task, count, seed=seed + cutoff, cutoff=cutoff)
        y = pd.DataFrame({"y": (rng.random(count) < truth(rows)).astype(int)})
        examples.append(Example(rows, Labels(y, Window.after(rows.as_of, days=task.horizon))))
    return TrainingSet(tuple(examples))


def make_waits(task: Task, count: int, *, cutoffs: int, seed: int = 0, observed: int | None = None) -> TrainingSet:
    """Days to the next purchase, exponential at a rate that `strong` sets, seen for `observed` days."""
    rng = np.random.default_rng(seed)
    seen = task.horizon if observed is None else observed
    examples = []
    for cutoff in range(cutoffs):
        rows = make_rows(task, count, seed=seed + cutoff, cutoff=cutoff)
        days = np.floor(rng.exponential(mean_wait(rows)))
        y = pd.DataFrame({"days": np.where(days < seen, days, np.nan), "observed": float(seen)})
        examples.append(Example(rows, Labels(y, Window.after(rows.as_of, days=seen))))
    return TrainingSet(tuple(examples))


def mean_wait(rows: Rows) -> np.ndarray:
    return np.asarray(20 * np.exp(-rows.values["strong"]))


def reversed_rows(rows: Rows) -> Rows:
    """The same rows, last first."""
    keys, values = (frame.iloc[::-1].reset_index(drop=True) for frame in (rows.keys, rows.values))
    return replace(rows, keys=keys, values=values)


def with_horizon(task: Task, days: int) -> Task:
    return replace(task, horizon=days)
