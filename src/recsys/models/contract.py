from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from recsys.core.config import Settings
from recsys.core.frames import Rows, Scores, TrainingSet
from recsys.core.task import Task
from recsys.models.encoding import Floats


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


@runtime_checkable
class Selective(Protocol):
    """A model that names the features it looks at; every model of the catalogue is one, peers need not be.

    Without the others a row has the same score and the same contributions, so they need not be computed or read.
    """

    @property
    def features(self) -> frozenset[str]:
        """Names of the features that `score` and `contributions` look at."""
        ...


@runtime_checkable
class Explained(Protocol):
    """A model that can say what a score is made of; every model of the catalogue is one, peers need not be."""

    def contributions(self, rows: Rows) -> Floats:
        """(n, f) what each of `rows.specs` adds to a row's score on the model's own additive scale (log-odds for
        probabilities, before calibration); 0 for a feature that the model does not use.

        Trees are explained by TreeSHAP: Lundberg et al., "From local explanations to global understanding with
        explainable AI for trees", Nature Machine Intelligence 2, 2020.
        """
        ...


@runtime_checkable
class Grown(Protocol):
    """A model of trees that can say what its splits gained."""

    def gain(self) -> dict[str, float]:
        """Feature -> total gain of the splits on it, in the trees that `score` rests on."""
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
