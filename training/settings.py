from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator

from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError
from recsys.data.mapping import IngestConfig
from recsys.labels.margins import USUAL, Margins

CONFIG = Path("recsys.toml")


class TaskSettings(Settings):
    """What a retailer changes of one task.

    horizon: days that the label looks ahead; null = the task's own, for churn read off the data.
    model: settings of its trainer, by their names in `models/`.
    """

    horizon: int | None = Field(default=None, ge=1, le=365)
    model: dict[str, Any] = Field(default_factory=dict)


class TrainingSettings(Settings):
    """How cutoffs are laid.

    step: days between two cutoffs, counted back from the end of data.
    trains: cutoffs a model is fitted on.
    tests: cutoffs that `recsys evaluate` tests on; `recsys train` tests on the last one.
    min_history: days of orders that must lie before the earliest cutoff.
    max_rows: rows of a training cutoff, about; where there are more, members are drawn in layers of activity. A model
        tells what share of the members taught it, as `taught_by`.
    list_rows: the same for tasks that rank lists, of which each member has a hundred rows and more; drawn evenly.
    test_rows, test_members: rows and members of a test cutoff, about; where there are more of either, some are drawn:
        more would narrow no interval worth the resampling.
    kept_members: members whose candidates a stored snapshot keeps, about; where there are more, they are drawn in
        layers of activity: models that rank candidates learn and are tested on these. Null = all. Features of members,
        their categories and items are of everybody in any case.
    keep: recommendations published for each member.
    launch_share: of each launch, this share of the members scored is published, those most likely to buy it.
    launch_least: but never fewer than so many.
    """

    step: int = Field(default=28, ge=1)
    trains: int = Field(default=4, ge=1)
    tests: int = Field(default=2, ge=1)
    min_history: int = Field(default=84, ge=1)
    max_rows: int = Field(default=320_000, ge=1)
    list_rows: int = Field(default=200_000, ge=1)
    test_rows: int = Field(default=1_000_000, ge=1)
    test_members: int = Field(default=100_000, ge=1)
    kept_members: int | None = Field(default=None, ge=1)
    keep: int = Field(default=100, ge=1)
    launch_share: float = Field(default=0.1, gt=0, le=1)
    launch_least: int = Field(default=10_000, ge=1)


class DriftSettings(Settings):
    """What `recsys drift` compares, and from when on it raises an alarm.

    days: that lie at least between the two publications compared.
    psi: population stability index of a score, or of a feature that its model leans on.
    importance: share of a model's contributions from which on it leans on a feature; others are only told.
    loss: share of the back-test's metric that the realised one may lose, beyond chance.
    """

    days: int = Field(default=7, ge=1)
    psi: float = Field(default=0.2, gt=0)
    importance: float = Field(default=0.01, ge=0, le=1)
    loss: float = Field(default=0.02, ge=0, le=1)


class RetrainSettings(Settings):
    """What `recsys retrain` leaves. publications: the last ones that are kept, the current one among them."""

    publications: int = Field(default=10, ge=1)


class Project(Settings):
    """The part of `recsys.toml` that speaks of training: `[training]`, `[retrain]`, `[drift]`, `[margins]` and
    `[tasks.<name>]`.
    """

    training: TrainingSettings = TrainingSettings()
    margins: Margins = USUAL
    drift: DriftSettings = DriftSettings()
    retrain: RetrainSettings = RetrainSettings()
    tasks: dict[str, TaskSettings] = Field(default_factory=dict)

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: dict[str, TaskSettings]) -> dict[str, TaskSettings]:
        from recsys.models.catalog import CATALOG  # here, as it takes seconds and most files name no task

        for name, settings in tasks.items():
            if name not in CATALOG:
                raise ValueError(f"{name} is none of {', '.join(CATALOG)}")
            least = CATALOG[name].task.censored_from
            if least is not None and settings.horizon is not None and settings.horizon < least:
                raise ValueError(f"{name}.horizon must be at least {least}, as its model tells of so many days")
        return tasks

    @classmethod
    def read(cls, path: Path = CONFIG) -> Self:
        """Read it from a file; without one, everything has its default."""
        data = read_toml(path) if path.exists() else {}
        unknown = sorted(data.keys() - cls.model_fields.keys() - IngestConfig.model_fields.keys())
        if unknown:
            raise ConfigError(unknown[0], f"is no setting of {path.name}")
        return cls.checked({name: data[name] for name in cls.model_fields if name in data})

    def task(self, name: str) -> TaskSettings:
        """Return the settings of one task."""
        return self.tasks.get(name, TaskSettings())
