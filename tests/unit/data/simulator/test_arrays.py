from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.simulator.arrays import added, drawn, ladder_of, running, within
from recsys.data.simulator.lines import Lines

groups = st.lists(st.lists(st.floats(0, 100), max_size=5), min_size=1, max_size=8)


@given(groups)
def test_groups_are_numbered_and_added_up_as_a_loop_does(parts: list[list[float]]) -> None:
    counts = np.array([len(part) for part in parts])
    values = np.array([value for part in parts for value in part])
    assert within(counts).tolist() == [number for part in parts for number in range(len(part))]
    slow = [total for part in parts for total in accumulate(part)]
    assert running(values, counts) == pytest.approx(slow, abs=1e-9)
    owner = np.repeat(np.arange(len(parts)), counts)
    assert added(values, owner, len(parts)) == pytest.approx([sum(part) for part in parts])


def test_columns_are_drawn_by_their_shares() -> None:
    shares = np.array([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    rows = np.repeat([0, 1], 40_000)
    columns = drawn(np.random.default_rng(0), ladder_of(shares), rows)
    first = np.bincount(columns[rows == 0], minlength=3) / 40_000
    assert first == pytest.approx([0.25, 0, 0.75], abs=0.01)
    assert set(columns[rows == 1].tolist()) == {1}


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 3)), max_size=9), min_size=1, max_size=3
    )
)
def test_the_same_product_on_one_visit_is_one_line(parts: list[list[tuple[int, int, int]]]) -> None:
    slow: dict[tuple[int, int], float] = {}
    for part in parts:
        for visit, product, quantity in part:
            slow[visit, product] = slow.get((visit, product), 0) + quantity
    joined = Lines.together([_lines(part) for part in parts])
    fast = list(zip(joined.visit.tolist(), joined.product.tolist(), joined.quantity.tolist(), strict=True))
    assert fast == [(visit, product, quantity) for (visit, product), quantity in sorted(slow.items())]


def _lines(part: list[tuple[int, int, int]]) -> Lines:
    visit, product, quantity = np.array(part, dtype=np.int64).reshape(-1, 3).T
    return Lines(visit, product, quantity.astype(np.float64))
