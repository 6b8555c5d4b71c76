"""A search looks at nothing from the first test cutoff on, keeps its trials, and leaves the user's file whole."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from recsys.core.config import Home, Settings
from recsys.core.errors import ConfigError
from recsys.models.catalog import CATALOG
from recsys.models.spaces import changed, space_of, values_of
from tests.shop import Frames, at, make_frames, store
from training.examples import folds
from training.screen import Screen
from training.search import Search, ground, search
from training.settings import Project, TaskSettings, TrainingSettings
from training.tune import Wish, add_block, block, differing, run_tune
from training.workspace import Workspace

DAYS = 240
TRAINING = TrainingSettings(trains=2, tests=1, min_history=56)
TASKS = {name: TaskSettings(horizon=min(recipe.task.horizon, 28)) for name, recipe in CATALOG.items()} | {
    "churn": TaskSettings(horizon=14, model={"booster": {"rounds": 10, "min_leaf": 5}}),
    "repurchase": TaskSettings(horizon=42, model={"booster": {"rounds": 3, "min_leaf": 5}, "knots": [7, 14, 28]}),
}


def frames() -> Frames:
    return make_frames(members=50, days=DAYS)


def workspace(root: Path, tables: Frames) -> Workspace:
    store(root, tables)
    return Workspace(Home(root), Project(training=TRAINING, tasks=TASKS), Screen())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspace(tmp_path_factory.mktemp("shop"), frames())


def moved(tables: Frames, *, since: int, until: int = DAYS - 1) -> Frames:
    """Let nobody buy in the days [since, until), and end the data on the same day."""
    orders = tables["orders"]
    day = pd.to_datetime(orders["ordered_at"])
    return {**tables, "orders": orders[(day < at(since, 0)) | (day >= at(until, 0))]}


def searched(on: Workspace, name: str, *, trials: int) -> tuple[Search, list[dict[str, float]]]:
    recipe = on.recipe(name)
    seen: list[dict[str, float]] = []

    def log(_number: int, _settings: Settings, metrics: Mapping[str, float]) -> None:
        seen.append({key: value for key, value in metrics.items() if key != "seconds"})

    start = on.trainer(recipe).config
    return search(recipe, start, ground(on, recipe.task), log, trials=trials), seen


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_label_of_a_search_ends_before_the_first_test_cutoff(shop: Workspace, name: str) -> None:
    task = shop.recipe(name).task
    tested = folds(shop, task, TRAINING.tests)
    on = ground(shop, task)
    assert on.limit == tested[0].test
    for fold in on.folds:
        assert fold.test.plus(days=task.needs) <= on.limit
        for example in (on.examples.test(fold.test), *(on.examples.teaching(day) for day in fold.trains)):
            assert example.labels.window.end <= on.limit


def test_what_happens_from_the_first_test_cutoff_on_changes_no_trial(shop: Workspace, tmp_path: Path) -> None:
    limit = ground(shop, shop.recipe("repurchase").task).limit.number - shop.tables.first.number
    later = workspace(tmp_path / "later", moved(frames(), since=limit))
    assert later.tables.end == shop.tables.end
    found, trials = searched(shop, "repurchase", trials=3)
    again, same = searched(later, "repurchase", trials=3)
    assert trials == same
    assert found.best.settings == again.best.settings

    earlier = workspace(tmp_path / "earlier", moved(frames(), since=limit - 25))
    assert searched(earlier, "repurchase", trials=1)[1] != trials[:1]


def test_a_search_begins_with_the_settings_in_force_and_never_ends_worse(shop: Workspace) -> None:
    found, trials = searched(shop, "churn", trials=8)
    assert found.start.settings == shop.trainer(shop.recipe("churn")).config
    assert found.start.value == trials[0]["auc"]
    assert found.best.value == max(trial.get("auc", -math.inf) for trial in trials)
    assert found.difference.value == pytest.approx(found.best.value - found.start.value)
    assert found.trials == 8


def test_a_search_stops_at_its_time(shop: Workspace) -> None:
    recipe = shop.recipe("churn")
    start = shop.trainer(recipe).config
    found = search(recipe, start, ground(shop, recipe.task), lambda *_: None, trials=50, until=0.0)
    assert (found.trials, found.best.number) == (1, 0)


def test_too_short_a_history_is_told_with_the_cutoff(tmp_path: Path) -> None:
    short = workspace(tmp_path, make_frames(members=10, days=130))
    with pytest.raises(ConfigError, match="first test cutoff"):
        ground(short, short.recipe("churn").task)


def test_every_trial_stands_in_mlflow_below_its_search(
    shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = tmp_path / "recsys.toml"
    run_tune(shop, "churn", Wish(trials=4, minutes=0, seed=1, write=file))
    client = MlflowClient(tracking_uri=shop.tracking.uri)
    experiment = client.get_experiment_by_name("churn")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id])
    (study,) = (run for run in every if run.data.tags["kind"] == "search")
    trials = [run for run in every if run.data.tags.get("mlflow.parentRunId") == study.info.run_id]
    assert len(trials) == study.data.metrics["trials"] == 4
    assert all(run.info.status == "FINISHED" for run in every)
    best = max(trials, key=lambda run: run.data.metrics.get("auc", -math.inf))
    assert best.data.metrics["auc"] == study.data.metrics["best"]
    assert {"booster.leaves", "booster.learning_rate"} <= best.data.params.keys()
    out, err = capfd.readouterr()
    assert "trial 3: " in err
    assert study.data.params["labels_end"] in out
    if file.exists():
        model = tomllib.loads(file.read_text(encoding="utf-8"))["tasks"]["churn"]["model"]
        assert str(model["booster"]["leaves"]) == best.data.params["booster.leaves"]
    else:
        assert "stays as it is" in out


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_the_printed_block_gives_back_the_settings_that_were_tried(name: str) -> None:
    recipe = CATALOG[name]
    shipped = recipe.config()
    space = space_of(shipped)
    assert space
    other = changed(shipped, {key: span.rounded((span.low * 2 + span.high) / 3) for key, span in space.items()})
    assert values_of(other, space) != values_of(shipped, space)
    read = tomllib.loads(block(name, differing(other, shipped)))
    assert recipe.config.checked(read["tasks"][name]["model"]) == other


OWN = '# 我的设置\r\ntimezone = "UTC"\n[tasks.churn]\nhorizon = 14 # days\n'


def test_a_block_is_added_to_a_file_that_keeps_all_it_had(tmp_path: Path) -> None:
    file = tmp_path / "recsys.toml"
    file.write_bytes(OWN.encode())
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    add_block(link, "churn", {"booster": {"leaves": 9}})
    assert file.read_bytes().startswith(OWN.rstrip().encode())
    assert link.is_symlink()
    assert tomllib.loads(file.read_bytes().decode())["tasks"]["churn"] == {
        "horizon": 14,
        "model": {"booster": {"leaves": 9}},
    }


@pytest.mark.parametrize(
    "text",
    [
        "[tasks.churn.model]\nfolds = 4\n",
        "[tasks.churn.model.booster]\nleaves = 3\n",
        "tasks = { churn = { horizon = 14 } }\n",
    ],
)
def test_a_file_that_cannot_take_the_block_stays_as_it_was(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="block above"):
        add_block(file, "churn", {"booster": {"leaves": 9}})
    assert file.read_text(encoding="utf-8") == text
