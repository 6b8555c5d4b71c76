from datetime import date

import numpy as np
import pandas as pd
import pytest

from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.task import Task, View
from recsys.core.time import AsOf, Window

WAIT = Task("repurchase", 56, ("member_id",), (View.MEMBER,), "true", ("score",), "auc", censored_from=28)
FLAG = Task("churn", 28, ("member_id",), (View.MEMBER,), "true", ("score",), "auc")
START = AsOf(date(2025, 1, 1))


def example(task: Task, offset: int, *, days: list[float] | None = None) -> Example:
    as_of = START.plus(days=offset)
    size = len(days) if days else 2
    keys = pd.DataFrame({"member_id": [f"会员{number}" for number in range(size)]})
    window = Window.after(as_of, days=task.horizon)
    y = pd.DataFrame({"days": days, "observed": float(task.horizon)}) if days else pd.DataFrame({"y": [0, 1]})
    return Example(Rows(task, as_of, keys, pd.DataFrame(index=range(size)), ()), Labels(y, window))


def test_needs_is_the_horizon_unless_waits_may_be_censored() -> None:
    assert (FLAG.needs, WAIT.needs) == (28, 28)


def test_waits_are_cut_at_the_day_they_are_looked_at() -> None:
    known = example(WAIT, 0, days=[3.0, 9.0, 10.0, np.nan]).until(START.plus(days=10))
    assert known is not None
    assert known.labels.y["days"].tolist()[:2] == [3.0, 9.0]
    assert known.labels.y["days"].isna().tolist() == [False, False, True, True]
    assert known.labels.y["observed"].tolist() == [10.0] * 4
    assert known.labels.window.end == START.plus(days=10)


def test_a_whole_window_stays_as_it_is() -> None:
    whole = example(FLAG, 0)
    assert whole.until(START.plus(days=28)) is whole


@pytest.mark.parametrize(("task", "days"), [(FLAG, None), (WAIT, [1.0])])
def test_what_could_not_be_labelled_yet_is_none(task: Task, days: list[float] | None) -> None:
    day = 27 if task is FLAG else 0
    assert example(task, 0, days=days).until(START.plus(days=day)) is None


def test_the_earlier_part_knows_nothing_of_the_last_cutoffs_window() -> None:
    training = TrainingSet(tuple(example(WAIT, offset, days=[30.0, 5.0]) for offset in (0, 28)))
    earlier, last = training.split_last()
    assert earlier is not None
    assert earlier.y["observed"].tolist() == [28.0, 28.0]
    assert earlier.y["days"].isna().tolist() == [True, False]
    assert last.y["days"].tolist() == [30.0, 5.0]


def test_cutoffs_whose_windows_overlap_the_last_are_not_told_before_it() -> None:
    training = TrainingSet((example(FLAG, 0), example(FLAG, 14)))
    assert training.split_last()[0] is None
    assert TrainingSet((example(FLAG, 0),)).split_last()[0] is None


def test_a_training_set_has_cutoffs_once_and_in_order() -> None:
    for offsets in ((), (28, 0), (0, 0)):
        with pytest.raises(ValueError, match="oldest first"):
            TrainingSet(tuple(example(FLAG, offset) for offset in offsets))


def test_labels_start_at_the_rows_day() -> None:
    right, other = example(FLAG, 0), example(FLAG, 1)
    with pytest.raises(ValueError, match="start at their as_of"):
        Example(right.rows, other.labels)
