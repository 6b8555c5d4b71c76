from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task


class Model(Protocol):
    """A fitted, immutable model.

    It promises: save then load gives the same scores; the order of rows does not matter; an empty input gives an empty
    output; keys stay as they are and scores are finite.
    """

    @property
    def task(self) -> Task:
        """What it was fitted to predict."""
        ...

    def score(self, rows: Rows) -> Scores:
        """Score each row, in the rows' order."""
        ...

    def save(self, folder: Path) -> None:
        """Write data files (never pickles) into an existing, empty folder."""
        ...


class Trainer(Protocol):
    """A configured, unfitted model; the same seed and the same training set give the same model."""

    @property
    def config(self) -> Settings:
        """Every choice that shapes the fit."""
        ...

    def fit(self, training: TrainingSet) -> Model:
        """Fit on all cutoffs; what needs calibration is calibrated on the last one."""
        ...


@dataclass(frozen=True)
class Recipe:
    """One entry of the catalogue: what is predicted, how it is fitted and how a saved model comes back.

    task: with the default horizon.
    config: the settings class of the trainer, whose defaults are the shipped choice.
    trainer: builds the trainer from a config of that class.
    load: reads what `Model.save` wrote, for the task it was fitted on; `ArtifactError` when it is no such folder.
    """

    task: Task
    config: type[Settings]
    trainer: Callable[[Settings], Trainer]
    load: Callable[[Path, Task], Model]
