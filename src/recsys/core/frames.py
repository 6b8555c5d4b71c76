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
        return type(self)(
            self.task,
            self.as_of,
            self.keys[mask].reset_index(drop=True),
            self.values[mask].reset_index(drop=True),
            self.specs,
        )


@dataclass(frozen=True)
class Labels:
    """What happened to the same rows in the window that starts at their as_of.

    y: (n, c) task-specific columns, aligned with the rows' keys: `y` (0 or 1) for churn, new_product and recommend; for
        repurchase `days` (whole days from as_of to the next purchase day, >= 0; NaN = none seen before data ended) and
        `observed` (days from as_of to the end of data, the same for every row).
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

    def split_last(self) -> "tuple[TrainingSet, TrainingSet]":
        """Everything but the last cutoff, and the last cutoff: to fit on one and calibrate on the later other.

        With a single cutoff both parts are that cutoff.
        """
        if len(self.examples) == 1:
            return self, self
        return TrainingSet(self.examples[:-1]), TrainingSet(self.examples[-1:])


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
