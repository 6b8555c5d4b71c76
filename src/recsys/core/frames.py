from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from recsys.core.task import FeatureSpec, Task
from recsys.core.time import AsOf, Window


@dataclass(frozen=True)
class Rows:
    """The features of a task's rows, as they were known before `as_of`.

    keys: (n, k) text columns `task.keys`, unique.
    values: (n, f) one column a spec, in the order of `specs`, index aligned with keys; numbers are float, NaN =
        unknown; categories are text, None = unknown.
    """

    task: Task
    as_of: AsOf
    keys: pd.DataFrame
    values: pd.DataFrame
    specs: tuple[FeatureSpec, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, mask: "np.ndarray") -> Self:
        """Keep the rows where the boolean (n,) mask is true."""
        keys, values = self.keys[mask], self.values[mask]
        keys.index = values.index = pd.RangeIndex(len(keys))  # in place: reset_index would copy them once more
        return type(self)(self.task, self.as_of, keys, values, self.specs)


@dataclass(frozen=True)
class Labels:
    """What happened to the same rows in the window that starts at their as_of.

    y: (n, c) task-specific columns, aligned with the rows' keys: `y` (0 or 1) for churn and new_product; for recommend
        and recommend_subcategory `y` (1 = in the member's next basket, all purchases of the first purchase day of the
        window) and `soon` (1 = bought on any day of the window; at least y); for repurchase `days` (whole days from
        as_of to the next purchase day, >= 0; NaN = none seen within the window) and `observed` (the window's days, the
        same for every row; fewer than the horizon where it was cut).
    """

    y: pd.DataFrame
    window: Window

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Example:
    """One cutoff: rows and their labels, aligned."""

    rows: Rows
    labels: Labels

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.labels) or self.labels.window.start != self.rows.as_of:
            raise ValueError("labels must be of the same rows and start at their as_of")

    def until(self, as_of: AsOf) -> "Example | None":
        """Return the example as it could be labelled on a day, or None where it could not be.

        Waits (`days`, `observed`) are cut at that day; other labels need their whole window.
        """
        window = self.labels.window
        if window.end <= as_of:
            return self
        if "observed" not in self.labels.y or as_of <= window.start:
            return None
        known = as_of.number - window.start.number
        y = self.labels.y.assign(days=self.labels.y["days"].where(self.labels.y["days"] < known), observed=float(known))
        return Example(self.rows, Labels(y, Window(window.start, as_of)))


@dataclass(frozen=True)
class TrainingSet:
    """Cutoffs stacked, oldest first."""

    examples: tuple[Example, ...]

    def __post_init__(self) -> None:
        days = [example.rows.as_of for example in self.examples]
        if not days or days != sorted(set(days)):
            raise ValueError("a training set needs at least one cutoff, oldest first, none twice")

    @property
    def task(self) -> Task:
        """The task of all its rows."""
        return self.examples[0].rows.task

    @property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """The features of all its rows."""
        return self.examples[0].rows.specs

    @property
    def values(self) -> pd.DataFrame:
        """(sum of n, f) values of all cutoffs."""
        return pd.concat([example.rows.values for example in self.examples], ignore_index=True)

    @property
    def keys(self) -> pd.DataFrame:
        """(sum of n, k) keys of all cutoffs; not unique, as a member may stand in several cutoffs."""
        return pd.concat([example.rows.keys for example in self.examples], ignore_index=True)

    @property
    def y(self) -> pd.DataFrame:
        """(sum of n, c) label columns of all cutoffs."""
        return pd.concat([example.labels.y for example in self.examples], ignore_index=True)

    def until(self, as_of: AsOf) -> "TrainingSet | None":
        """Return the cutoffs as they could be labelled on a day; None where none could be."""
        known = tuple(part for example in self.examples if (part := example.until(as_of)) is not None)
        return TrainingSet(known) if known else None

    def split_last(self) -> "tuple[TrainingSet | None, TrainingSet]":
        """Part the last cutoff from those before it, as they could be labelled on its day: to fit on these and
        calibrate on that, with nothing told twice. None where no earlier cutoff could be labelled by then.
        """
        last = self.examples[-1]
        earlier = TrainingSet(self.examples[:-1]).until(last.rows.as_of) if len(self.examples) > 1 else None
        return earlier, TrainingSet((last,))


@dataclass(frozen=True)
class Scores:
    """A model's answer for each row.

    table: (n, k + s) the rows' keys and `task.scores`, in the rows' order.
    """

    task: Task
    as_of: AsOf
    table: pd.DataFrame

    @classmethod
    def of(cls, rows: Rows, columns: Sequence["np.ndarray"]) -> Self:
        """Join the keys with one (n,) array for each of `task.scores`."""
        named = dict(zip(rows.task.scores, columns, strict=True))
        table = pd.concat([rows.keys.reset_index(drop=True), pd.DataFrame(named)], axis=1)
        return cls(rows.task, rows.as_of, table)
