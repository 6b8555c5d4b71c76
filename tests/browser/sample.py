"""A home of some households of the sample, with models that few rounds taught: small enough for every run of tests."""

from pathlib import Path

import duckdb

from recsys.core.config import Home
from recsys.data.ingest import ingest
from recsys.data.mapping import FilesSource
from recsys.data.samples import complete_journey
from training.fit import run_train
from training.publish import run_publish
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace

HOUSEHOLDS = 120
OF_HOUSEHOLDS = ("transactions", "demographics", "campaigns", "coupon_redemptions")
OF_ALL = ("products", "campaign_descriptions", "coupons")
FEW = {"booster": {"rounds": 10}}
SETTINGS = {
    "training": {"trains": 1, "tests": 1, "keep": 30},
    "tasks": {
        "churn": {"horizon": 14, "model": FEW},
        "repurchase": {"horizon": 28, "model": FEW},
        "value": {"horizon": 28, "model": FEW},
        "new_product": {"model": FEW},
        "recommend": {"model": {"booster": {"rounds": 5, "leaves": 7}}},
        "recommend_subcategory": {"model": {"booster": {"rounds": 5, "leaves": 7}}},
    },
}
DAYS = ("2017-12-04", "2018-01-01")


def make_sample_home(home: Home, folder: Path) -> None:
    """Ingest, train, promote and publish twice. folder: takes the households' part of the files."""
    _cut(folder)
    cut = complete_journey().model_copy(update={"source": FilesSource(folder=folder)})
    ingest(cut, home, lambda *_: None)
    workspace = Workspace(home, Project.checked(SETTINGS), Screen())
    run_train(workspace, "all", "ada")
    for day in DAYS:
        run_publish(workspace, day)


def _cut(folder: Path) -> None:
    folder.mkdir(parents=True)
    source = complete_journey().source
    assert isinstance(source, FilesSource)
    for name in (*OF_HOUSEHOLDS, *OF_ALL):
        which = f"WHERE hash(household_id) % 2469 < {HOUSEHOLDS}" if name in OF_HOUSEHOLDS else ""
        table = f"SELECT * FROM '{source.folder}/{name}.parquet' {which}"
        duckdb.sql(f"COPY ({table}) TO '{folder}/{name}.parquet'")
