from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from recsys.core.config import Settings
from recsys.core.frames import Example, Rows, TrainingSet
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.data.tables import Tables
from recsys.features.build import build_snapshot, read_rows
from recsys.labels.outcomes import label
from recsys.models.catalog import CATALOG
from recsys.models.contract import Model
from tests.shop import make_frames, store

TRAINS = (140, 112)
TEST = 56
ROUNDS = 20
MEMBERS = 200


@dataclass(frozen=True)
class Shop:
    """A shop, the days before its end that teach and test, and a place for its snapshots."""

    tables: Tables
    root: Path

    def day(self, before_end: int) -> AsOf:
        return self.tables.end.plus(days=-before_end)

    def rows(self, name: str, as_of: AsOf) -> Rows:
        folder = build_snapshot(self.tables.at(as_of), self.root / "snapshots")
        return read_rows(folder, task_of(name))

    def example(self, name: str, as_of: AsOf) -> Example:
        rows = self.rows(name, as_of)
        return Example(rows, label(self.tables, rows))

    def training(self, name: str) -> TrainingSet:
        return TrainingSet(tuple(self.example(name, self.day(before)) for before in TRAINS))


@dataclass(frozen=True)
class Case:
    """One entry of the catalogue, fitted, with rows and labels of a later day."""

    name: str
    config: Settings
    training: TrainingSet
    model: Model
    test: Example


def task_of(name: str) -> Task:
    """The task with no longer a horizon than can be known after the test day, and before it after the last cutoff."""
    task = CATALOG[name].task
    return replace(task, horizon=min(task.horizon, TEST))


def open_shop(root: Path, frames: Mapping[str, pd.DataFrame]) -> Shop:
    return Shop(store(root / "home", frames), root)


def small(name: str) -> Settings:
    """The shipped settings with fewer and smaller trees, whose part in the score stays even in so small a shop."""
    shipped = CATALOG[name].config().model_dump()
    if "linear_share" in shipped:
        shipped["linear_share"] = 0.5
    booster = {**shipped["booster"], "rounds": ROUNDS, "leaves": 7, "min_leaf": 10, "learning_rate": 0.1, "threads": 1}
    return CATALOG[name].config.checked({**shipped, "booster": booster})


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), make_frames(members=MEMBERS))


@pytest.fixture(scope="session")
def fitted(shop: Shop) -> Callable[[str], Case]:
    """Fit an entry when it is first asked for, and only then."""

    @cache
    def case_of(name: str) -> Case:
        config, training = small(name), shop.training(name)
        model = CATALOG[name].trainer(config).fit(training)
        return Case(name, config, training, model, shop.example(name, shop.day(TEST)))

    return case_of


@pytest.fixture(params=sorted(CATALOG))
def case(request: pytest.FixtureRequest, fitted: Callable[[str], Case]) -> Case:
    return fitted(request.param)
