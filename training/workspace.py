import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from recsys.core.config import Home, Settings
from recsys.core.errors import ConfigError
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.data.rhythm import gap_quantile
from recsys.data.tables import Tables
from training.screen import Screen
from training.settings import Project
from training.tracking import Tracking

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from recsys.models.contract import Recipe, Trainer

HORIZON_FROM_GAPS = ("churn",)
USUAL_GAPS = 0.9
"""A member who stays away longer than this share of all gaps between purchase days is leaving."""
LONGEST_HORIZON = 84


@dataclass(frozen=True)
class Workspace:
    """What every command works with: the home, the project's settings, the screen, and what follows from them.

    until: the day at which the data shall seem to end; null = where they end.
    spark: a session on the cluster that computes features and scores; null = DuckDB in this process does.
    """

    home: Home
    project: Project
    screen: Screen
    until: AsOf | None = None
    spark: "SparkSession | None" = None

    @cached_property
    def tables(self) -> Tables:
        """The tables as last ingested; with `until`, labels that would look further are refused."""
        tables = Tables.open(self.home.tables)
        return tables if self.until is None else replace(tables, end=min(self.until, tables.end))

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow."""
        return Tracking(self.home)

    def as_of(self, text: str) -> AsOf:
        """Read a day; empty means the day after the data, when everything is known."""
        return AsOf.parse(text, self.tables.zone) if text else self.tables.end

    def tasks(self, name: str) -> tuple[str, ...]:
        """Return the tasks that a name means; `ConfigError` when there is no such task."""
        from recsys.models.catalog import CATALOG  # here and below, as it takes seconds that not every command needs

        if name == "all":
            return tuple(CATALOG)
        if name not in CATALOG:
            raise ConfigError("task", f"{name!r} is none of {', '.join(CATALOG)}, all")
        return (name,)

    def recipe(self, name: str) -> "Recipe":
        """Return a task's entry of the catalogue with its horizon; churn's is read off the data unless set."""
        from recsys.models.catalog import CATALOG

        recipe = CATALOG[name]
        horizon = self.project.task(name).horizon or self._own_horizon(recipe.task)
        return replace(recipe, task=replace(recipe.task, horizon=horizon))

    def trainer(self, recipe: "Recipe", changes: Settings | None = None) -> "Trainer":
        """Configure a recipe's trainer with the project's settings, or with the given ones."""
        return recipe.trainer(changes or recipe.config.checked(self.project.task(recipe.task.name).model))

    def _own_horizon(self, task: Task) -> int:
        return self._usual_weeks * 7 if task.name in HORIZON_FROM_GAPS else task.horizon

    @cached_property
    def _usual_weeks(self) -> int:
        """Whole weeks that cover the usual gaps, as they were before the days that models are tested on."""
        earlier = self.tables.end.plus(days=-LONGEST_HORIZON)
        enough = earlier.number - self.tables.first.number >= LONGEST_HORIZON
        days = gap_quantile(self.tables.at(earlier if enough else self.tables.end), USUAL_GAPS)
        return min(max(math.ceil(days / 7), 1), LONGEST_HORIZON // 7)
