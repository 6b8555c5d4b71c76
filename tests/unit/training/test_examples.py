from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from recsys.core.config import Home
from tests.shop import make_shop
from training.examples import Examples
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
