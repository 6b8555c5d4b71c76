import math
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.core.errors import ConfigError
from recsys.core.time import AsOf, Window
from recsys.evaluation.backtest import final_cutoffs, plan

START = AsOf(date(2017, 1, 1), "America/New_York")


def test_a_year_of_data_at_the_defaults() -> None:
    older, newer = plan(START, START.plus(days=365), 28)

    assert [str(day) for day in (older.test, newer.test)] == ["2017-11-06", "2017-12-04"]
    assert [str(day) for day in newer.trains] == ["2017-08-14", "2017-09-11", "2017-10-09", "2017-11-06"]
    assert newer.note == older.note == ""


def test_a_longer_horizon_keeps_train_labels_before_the_test() -> None:
    older, newer = plan(START, START.plus(days=365), 56)

    assert Window.after(newer.trains[-1], days=56).end == newer.test
    assert Window.after(newer.test, days=56).end == START.plus(days=365)
    assert older.test == newer.test.plus(days=-28)


days = st.integers(1, 900)


@given(
    length=days, horizon=st.integers(1, 120), step=st.integers(1, 60), tests=st.integers(1, 4), trains=st.integers(1, 6)
)
def test_no_label_of_a_teacher_reaches_past_its_test(
    length: int, horizon: int, step: int, tests: int, trains: int
) -> None:
    end = START.plus(days=length)
    if length < 30 + 2 * step * math.ceil(horizon / step):
        with pytest.raises(ConfigError, match="history"):
            plan(START, end, horizon, step=step, tests=tests, trains=trains, min_history=30)
        return

    folds = plan(START, end, horizon, step=step, tests=tests, trains=trains, min_history=30)

    assert 1 <= len(folds) <= tests
    assert [fold.test for fold in folds] == sorted({fold.test for fold in folds})
    for fold in folds:
        assert 1 <= len(fold.trains) <= trains
        assert list(fold.trains) == sorted(set(fold.trains))
        assert Window.after(fold.test, days=horizon).end <= end
        assert all(Window.after(train, days=horizon).end <= fold.test for train in fold.trains)
        for as_of in (*fold.trains, fold.test):
            assert as_of >= START.plus(days=30)
            assert (end.number - as_of.number) % step == 0
        assert bool(fold.note) == (len(folds) < tests or len(fold.trains) < trains)


@given(length=days, horizon=st.integers(1, 120))
def test_the_final_cutoffs_are_the_latest_with_whole_windows(length: int, horizon: int) -> None:
    end = START.plus(days=length)
    latest = end.plus(days=-28 * math.ceil(horizon / 28))
    if latest < START.plus(days=84):
        with pytest.raises(ConfigError, match="history"):
            final_cutoffs(START, end, horizon)
        return

    found = final_cutoffs(START, end, horizon)

    assert found[-1] == latest
    assert all(later.number - earlier.number == 28 for earlier, later in pairwise(found))
    assert found[0] >= START.plus(days=84)


def test_short_data_give_fewer_folds_and_say_so() -> None:
    (fold,) = plan(START, START.plus(days=84 + 56), 28)

    assert fold.note == f"the data is short: 1 of 2 test cutoffs, 1 of 4 training cutoffs at {fold.test}"


def test_too_short_data_say_how_much_is_needed() -> None:
    with pytest.raises(ConfigError, match="needs 140"):
        plan(START, START.plus(days=139), 28)


@pytest.mark.parametrize("name", ["step", "tests", "trains"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(START, START.plus(days=365), 28, **{name: 0})

    assert caught.value.fields["setting"] == name
