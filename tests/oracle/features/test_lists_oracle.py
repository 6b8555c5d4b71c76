"""Lists of the highest scores, looked for where they may be, against lists of all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys.features import mixing
from recsys.features.mixing import Mix, parts_of, turned
from recsys.features.places import Places, held
from recsys.features.ranking import Counts, highest, listed

POOL = 9


def pairs(places: Places) -> set[tuple[int, int]]:
    return set(zip(places.rows.tolist(), places.columns.tolist(), strict=True))


def slow_highest(scores: np.ndarray, own: np.ndarray, count: int) -> set[tuple[int, int]]:
    """Cells above 0 that are no lower than the count-th highest of those that the member never had."""
    found = set()
    for row, values in enumerate(scores):
        fresh = sorted((value for value, had in zip(values, own[row], strict=True) if not had), reverse=True)
        least = fresh[count - 1] if len(fresh) >= count else -np.inf
        found |= {(row, c) for c, value in enumerate(values) if not own[row, c] and value > 0 and value >= least}
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    members=st.integers(1, 6),
    items=st.integers(0, 90),
    look=st.integers(1, 12),
    count=st.integers(1, 8),
    levels=st.integers(2, 1000),
)
def test_a_mix_finds_what_a_mix_of_all_items_finds(
    seed: int, members: int, items: int, look: int, count: int, levels: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, levels, (items, POOL)) / levels * (random.random((items, POOL)) < 0.3)
    weights = random.integers(0, levels, (members, POOL)) / levels * (random.random((members, POOL)) < 0.7)
    own = random.random((members, items)) < 0.3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "FIRST_LOOK", look)
        had = held(csr_matrix(own.astype(float)))
        mix = Mix.of(parts_of(csr_matrix(values)), turned(weights), had.columns)
        found = list(mix.highest(had, count))
        everywhere = Places(*(part.ravel() for part in np.indices((members, items))))
        cells = mix.cells(everywhere)
    scores = (csr_matrix(values).astype(np.float32) @ turned(weights)).T
    assert set().union(*map(pairs, found)) == slow_highest(scores, own, count)
    assert sum(len(places.rows) for places in found) == len(set().union(*map(pairs, found)))
    assert cells.tolist() == scores.ravel().tolist()


def test_an_item_outside_is_worth_nothing() -> None:
    mix = Mix.of(parts_of(csr_matrix(np.ones((3, 2)))), turned(np.ones((1, 2))), np.array([1]))
    assert mix.cells(Places(np.array([0, 0]), np.array([-1, 2]))).tolist() == [0, 2]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    members=st.integers(1, 4),
    items=st.integers(1, 300),
    count=st.integers(1, 9),
    levels=st.integers(1, 1000),
)
def test_the_highest_are_those_of_a_sort(seed: int, members: int, items: int, count: int, levels: int) -> None:
    scores = np.random.default_rng(seed).integers(0, levels, (members, items)) / levels
    own = np.zeros((members, items), dtype=bool)
    assert pairs(highest(scores, count, floor=0)) == slow_highest(scores, own, count)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 120),
    every=st.integers(0, 9),
    fresh=st.integers(0, 9),
    levels=st.integers(1, 50),
)
def test_a_list_takes_the_first_of_all_and_of_the_new(
    seed: int, size: int, every: int, fresh: int, levels: int
) -> None:
    random = np.random.default_rng(seed)
    rows, columns = np.divmod(np.sort(random.choice(3 * 60, size, replace=False)), 60)
    scores = random.integers(0, levels, size).astype(float)
    scores[random.random(size) < 0.1] = -np.inf
    new = random.random(size) < 0.5
    ties = tuple(random.integers(0, 2**63, length, dtype=np.uint64) for length in (3, 60))
    found = listed(Places(rows, columns), scores, new, Counts(every, fresh), (ties[0], ties[1]))
    wanted: set[int] = set()
    for row in range(3):
        mine = [place for place in range(size) if rows[place] == row and scores[place] > -np.inf]
        mixed = (ties[0][row] ^ ties[1][columns]) * np.uint64(0x9E3779B97F4A7C15)
        mine.sort(key=lambda place, mixed=mixed: (-scores[place], mixed[place]))  # type: ignore[misc]
        wanted |= {*mine[:every], *[place for place in mine if new[place]][:fresh]}
    assert found.tolist() == sorted(wanted)
