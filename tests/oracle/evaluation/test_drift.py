"""The stability index beside one worked out row by row, what it says of planted shifts, and how often it errs."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.drift import count, fallen, learn_bins, noise_level, shifts, stability_index

Number = float | None
NUMBERS = st.lists(st.none() | st.sampled_from([-1.0, 0.0, 0.0, 2.5, 7.0]) | st.floats(-50, 50), max_size=60)
TEXTS = st.lists(st.none() | st.sampled_from(["a", "b", "茶", "d", "e", "f"]), max_size=60)


def slow_index(places: Sequence[int], others: Sequence[int]) -> float:
    """Sum over the bins that anybody is in, each with half a row more."""
    used = sorted({*places, *others})
    total = 0.0
    for place in used:
        p = (places.count(place) + 0.5) / (len(places) + 0.5 * len(used))
        q = (others.count(place) + 0.5) / (len(others) + 0.5 * len(used))
        total += (q - p) * math.log(q / p)
    return total


def slow_edges(reference: Sequence[Number]) -> list[tuple[float, bool]]:
    """(edge, whether it alone is a bin), off a sorted list: the k-th tenth is value ceil(n k / 10)."""
    known = sorted(value for value in reference if value is not None)
    if not known:
        return []
    steps = [known[math.ceil(len(known) * k / 10 - 1e-9) - 1] for k in range(1, 10)]
    return [(edge, steps.count(edge) > 1) for edge in sorted({*steps})]


def slow_number_place(value: Number, edges: Sequence[tuple[float, bool]]) -> int:
    if value is None:
        return -1
    place = 0
    for edge, alone in edges:
        if value < edge:
            return place
        place += 1 if alone else 0
        if value == edge:
            return place
        place += 1
    return place


@settings(max_examples=150, deadline=None)
@given(then=NUMBERS, now=NUMBERS)
def test_numbers_equal_the_oracle(then: list[Number], now: list[Number]) -> None:
    first, second = (pd.Series(part, dtype=float) for part in (then, now))
    bins = learn_bins(first)
    edges = slow_edges(then)
    slow = slow_index([slow_number_place(v, edges) for v in then], [slow_number_place(v, edges) for v in now])
    assert stability_index(count(first, bins), count(second, bins)) == pytest.approx(slow, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(then=TEXTS, now=TEXTS)
def test_texts_equal_the_oracle(then: list[str | None], now: list[str | None]) -> None:
    first, second = (pd.Series(part, dtype=object) for part in (then, now))
    often = sorted({*then} - {None}, key=lambda value: (-then.count(value), str(value)))[:3]

    def place(value: str | None) -> int:
        return -1 if value is None else often.index(value) if value in often else 99

    bins = learn_bins(first, top=3)
    slow = slow_index([place(value) for value in then], [place(value) for value in now])
    assert stability_index(count(first, bins), count(second, bins)) == pytest.approx(slow, abs=1e-9)


def frame(rng: np.random.Generator, members: int = 400) -> pd.DataFrame:
    visits = rng.poisson(0.6, members).astype(float)
    return pd.DataFrame(
        {
            "days": rng.exponential(20, members),
            "visits": visits,
            "gap": np.where(visits > 0, rng.gamma(3, 5, members), np.nan),
            "constant": 1.0,
            "city": rng.choice(np.array(["上海", "北京", "成都", None], dtype=object), members),
        }
    )


def moved(now: pd.DataFrame, then: pd.DataFrame, threshold: float = 0.2) -> set[str]:
    return {shift.name for shift in shifts(then, now, (len(then), len(now))) if shift.beyond(threshold)}


def test_what_did_not_move_is_hardly_ever_called_moved() -> None:
    rng = np.random.default_rng(1)
    for members in (30, 400):
        false = sum(bool(moved(frame(rng, members), frame(rng, members), threshold=0.0)) for _ in range(100))
        assert false <= 6


def test_planted_shifts_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    then, now = frame(rng), frame(rng)
    assert moved(now, then) == set()
    assert moved(now.assign(days=now["days"] + 15), then) == {"days"}
    assert moved(now.assign(visits=now["visits"] + (rng.random(400) < 0.5)), then) == {"visits"}
    assert moved(now.assign(gap=now["gap"].where(rng.random(400) < 0.2)), then) == {"gap"}
    assert moved(now.assign(city=np.where(rng.random(400) < 0.3, "新城", now["city"])), then) == {"city"}


@pytest.mark.parametrize("value", [0.0, 2.0, math.nan])
def test_a_constant_that_becomes_another_is_found_on_either_side(value: float) -> None:
    rng = np.random.default_rng(3)
    then, now = frame(rng), frame(rng)
    assert moved(now.assign(constant=value), then) == {"constant"}


def test_noise_is_what_samples_of_one_population_exceed_as_often_as_said() -> None:
    rng = np.random.default_rng(4)
    limit = noise_level(10, 500, 300, chance=0.1)
    share = np.full(10, 0.1)
    draws = zip(rng.multinomial(500, share, 2000), rng.multinomial(300, share, 2000), strict=True)
    beyond = np.mean([stability_index(p.astype(float), q.astype(float)) > limit for p, q in draws])
    assert beyond == pytest.approx(0.1, abs=0.025)


def test_an_empty_side_is_never_called_moved() -> None:
    rng = np.random.default_rng(5)
    then = frame(rng)
    assert moved(then.iloc[:0], then) == moved(then, then.iloc[:0]) == set()


@pytest.mark.parametrize(
    ("realised", "better", "loss", "worse"),
    [
        (Interval(0.80, 0.79, 0.81), 1, 0.0, False),
        (Interval(0.76, 0.75, 0.77), 1, 0.0, True),
        (Interval(0.787, 0.777, 0.797), 1, 0.0, False),
        (Interval(0.76, 0.75, 0.77), 1, 0.05, False),
        (Interval(0.84, 0.83, 0.85), 1, 0.0, False),
        (Interval(0.84, 0.83, 0.85), -1, 0.0, True),
        (Interval(0.84, 0.83, 0.85), -1, 0.05, False),
        (Interval(0.76, 0.60, 0.92), 1, 0.0, False),
        (Interval(math.nan, math.nan, math.nan), 1, 0.0, False),
        (Interval(0.1, math.nan, math.nan), 1, 0.0, False),
    ],
)
def test_a_promise_is_broken_only_beyond_chance_and_loss(
    realised: Interval, better: int, loss: float, worse: bool
) -> None:
    assert fallen(realised, Interval(0.80, 0.79, 0.81), better, loss=loss) is worse
