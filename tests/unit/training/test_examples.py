import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.core.config import Home
from tests.shop import make_shop
from training.examples import Examples, snapshot
from training.screen import Screen
from training.settings import Project, TrainingSettings
from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root: Path = tmp_path_factory.mktemp("shop")
    make_shop(root, members=40, days=150)
    return Workspace(Home(root), Project(training=TrainingSettings(max_rows=60)), Screen())


@pytest.mark.parametrize("name", ["repurchase", "new_product"])
def test_a_day_that_was_tested_teaches_as_if_read_for_that(workspace: Workspace, name: str) -> None:
    task = workspace.recipe(name).task
    day = workspace.tables.end.plus(days=-56)
    alone = Examples(workspace, task).teaching(day)
    both = Examples(workspace, task)
    whole = both.test(day)
    again = both.teaching(day)
    assert 0 < len(alone.rows) < len(whole.rows)
    for part in ("keys", "values"):
        pd.testing.assert_frame_equal(getattr(again.rows, part), getattr(alone.rows, part))
    pd.testing.assert_frame_equal(again.labels.y, alone.labels.y)
    assert again.labels.window == alone.labels.window


def test_a_cutoff_that_teaches_keeps_all_rows_of_the_members_drawn(workspace: Workspace) -> None:
    task = workspace.recipe("repurchase").task
    day = workspace.tables.end.plus(days=-56)
    whole = Examples(workspace, task).rows(day).keys
    thinned = Examples(workspace, task).teaching(day).rows.keys
    kept = whole[whole["member_id"].isin(thinned["member_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, thinned)
    other = replace(workspace, project=Project())
    pd.testing.assert_frame_equal(Examples(other, task).teaching(day).rows.keys, whole)


@pytest.mark.parametrize("limit", ["test_rows", "test_members"])
def test_of_many_rows_or_members_a_cutoff_is_tested_on_those_drawn(workspace: Workspace, limit: str) -> None:
    task = workspace.recipe("repurchase").task
    day = workspace.tables.end.plus(days=-56)
    whole = Examples(workspace, task).test(day).rows.keys
    most = len(whole) if limit == "test_rows" else whole["member_id"].nunique()
    few = TrainingSettings.model_validate({limit: most // 2, "max_rows": 60})
    thinned = replace(workspace, project=Project(training=few))
    tested = Examples(thinned, task).test(day).rows.keys
    assert 0 < len(tested) < len(whole)
    kept = whole[whole["member_id"].isin(tested["member_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, tested)
    both, alone = Examples(thinned, task), Examples(workspace, task).teaching(day)
    both.test(day)
    pd.testing.assert_frame_equal(both.teaching(day).rows.keys, alone.rows.keys)


def test_members_who_teach_and_test_are_drawn_in_layers_of_activity(workspace: Workspace) -> None:
    task, day = workspace.recipe("churn").task, workspace.tables.end.plus(days=-56)
    settings = TrainingSettings(max_rows=10, test_rows=10)
    some = Examples(replace(workspace, project=Project(training=settings)), task)
    whole = Examples(workspace, task).rows(day)
    activity = np.sort(whole.values["purchase_days_90d"].to_numpy())
    bounds = np.linspace(0, len(activity) - 1, 11)
    low, high = activity[np.floor(bounds[:-1]).astype(int)], activity[np.ceil(bounds[1:]).astype(int)]
    for drawn in (some.teaching(day), some.test(day)):
        told = np.sort(drawn.rows.values["purchase_days_90d"].to_numpy())
        assert len(told) == 10
        assert ((low <= told) & (told <= high)).all()


def test_candidates_are_those_of_the_members_kept(workspace: Workspace, tmp_path: Path) -> None:
    shutil.copytree(workspace.home.tables, tmp_path / "tables")
    some = replace(workspace, home=Home(tmp_path), project=Project(training=TrainingSettings(kept_members=9)))
    day = some.tables.end.plus(days=-28)
    kept = snapshot(some, day).kept()
    assert kept is not None
    offered = Examples(some, some.recipe("recommend").task).test(day).rows.keys["member_id"]
    assert offered.nunique() == 9
    assert set(offered) == set(kept)
    assert Examples(some, some.recipe("churn").task).rows(day).keys["member_id"].nunique() > 9


def test_what_share_of_the_members_taught_is_told(workspace: Workspace) -> None:
    task = workspace.recipe("repurchase").task
    day = workspace.tables.end.plus(days=-56)
    taught = Examples(workspace, task).teaching(day).rows.keys["member_id"].nunique()
    every = Examples(workspace, task).rows(day).keys["member_id"].nunique()
    assert 0 < taught < every
    told = Examples(workspace, task).taught_by(day)
    assert told == f"{day}: {taught} of {every} members, {taught / every:.1%}"
    whole = replace(workspace, project=Project())
    assert Examples(whole, task).taught_by(day).endswith(f"{every} of {every} members, 100.0%")
