from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.core.config import Settings
from recsys.core.errors import MissingError
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task
from recsys.evaluation.judged import Floats
from recsys.models.calibration import with_rows
from recsys.models.storage import Stored, load_model, save_model

Learned = Mapping[str, Any]
"""What a peer has learned: plain data, ready for JSON."""


@dataclass(frozen=True)
class Rule:
    """One simple method that a strong data scientist would try first.

    name: as reports name it. source: the paper or book it comes from, or "folklore".
    learn: what to remember of a training set. apply: one (n,) array for each of the task's scores.
    """

    name: str
    source: str
    learn: Callable[[TrainingSet], Learned]
    apply: Callable[[Rows, Learned], list[Floats]]


class PeerConfig(Settings):
    """A peer has no choices to make: its name is all of it."""

    peer: str


@dataclass(frozen=True)
class FittedPeer:
    """A rule and what it has learned."""

    rule: Rule
    task: Task
    learned: Learned

    def score(self, rows: Rows) -> Scores:
        """Score each row."""
        columns = self.rule.apply(rows, self.learned) if len(rows) else [np.empty(0)] * len(self.task.scores)
        return Scores.of(rows, columns)

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        save_model(folder, _format(self.rule), Stored(dict(self.learned), {}))


@dataclass(frozen=True)
class Peer:
    """A rule as a trainer."""

    rule: Rule

    @property
    def config(self) -> PeerConfig:
        """The name of the rule."""
        return PeerConfig(peer=self.rule.name)

    def fit(self, training: TrainingSet) -> FittedPeer:
        """Learn; `MissingError` when no cutoff has a row."""
        return FittedPeer(self.rule, training.task, self.rule.learn(with_rows(training)))


def load_peer(rule: Rule, folder: Path, task: Task) -> FittedPeer:
    """Read what `FittedPeer.save` wrote; `ArtifactError` when it is no such folder."""
    return load_model(folder, _format(rule), lambda stored: FittedPeer(rule, task, stored.state))


def feature(values: pd.DataFrame, name: str, *, unknown: float = np.nan) -> Floats:
    """(n,) one number feature, unknown values replaced; `MissingError` names it when the rows do not have it."""
    if name not in values.columns:
        raise MissingError(f"feature {name}", "recsys features")
    numbers = values[name].to_numpy(np.float64)
    return np.where(np.isnan(numbers), unknown, numbers)


def columns(training: TrainingSet, names: Sequence[str]) -> pd.DataFrame:
    """Stack a few features of all cutoffs, (sum of n, len(names)); `MissingError` names one that the rows lack."""
    missing = [name for name in names if name not in training.examples[0].rows.values.columns]
    if missing:
        raise MissingError(f"feature {missing[0]}", "recsys features")
    return pd.concat([example.rows.values[list(names)] for example in training.examples], ignore_index=True)


def nothing(training: TrainingSet) -> Learned:
    """Learn nothing: the rule needs the rows alone."""
    del training
    return {}


def _format(rule: Rule) -> str:
    return f"peer/{rule.name}/1"
