from pathlib import Path

import pytest

from recsys.core.config import Home
from recsys.core.errors import ConfigError
from tests.shop import make_shop
from training.examples import learnable
from training.identity import identity
from training.screen import Screen
from training.settings import Project
from training.workspace import Workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    root = tmp_path_factory.mktemp("shop")
    make_shop(root, members=20, days=200)
    return Home(root)


def made_of(home: Home, task: str, settings: dict[str, object]) -> dict[str, str]:
    workspace = Workspace(home, Project.checked({"tasks": {"churn": {"horizon": 14}}, **settings}), Screen())
    recipe = workspace.recipe(task)
    return identity(workspace, recipe.task, workspace.trainer(recipe).config)


def test_other_margins_make_another_value_model_and_no_other_churn_model(home: Home) -> None:
    margins: dict[str, object] = {"margins": {"share": 0.4, "categories": {"牛奶": 0.1}}}
    assert made_of(home, "value", {}) == made_of(home, "value", {})
    assert made_of(home, "value", {}) != made_of(home, "value", margins)
    assert made_of(home, "churn", {}) == made_of(home, "churn", margins)


@pytest.mark.parametrize("margins", [{"share": 0}, {"categories": {"牛奶": 1.5}}, {"shares": 0.3}])
def test_a_margin_that_cannot_be_is_refused_by_its_name(margins: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        Project.checked({"margins": margins})
    assert str(caught.value.fields["setting"]).startswith(f"margins.{next(iter(margins))}")


@pytest.mark.parametrize(("step", "known"), [(28, False), (7, True)])
def test_a_task_is_learnt_where_the_data_hold_two_of_its_labels(home: Home, step: int, *, known: bool) -> None:
    """200 days: 14 of history and two labels of 90 days, each in whole steps, fit with weeks but not with months."""
    settings: dict[str, object] = {"training": {"step": step, "min_history": 14}, "tasks": {"churn": {"horizon": 14}}}
    found = learnable(Workspace(home, Project.checked(settings), Screen()))
    assert ("value" in found) is known
    assert "churn" in found


def test_data_too_short_for_everything_are_an_error(tmp_path: Path) -> None:
    make_shop(tmp_path, members=10, days=60)
    with pytest.raises(ConfigError, match="60 days of orders"):
        learnable(Workspace(Home(tmp_path), Project(), Screen()))
