import threading
from collections.abc import Iterator

import pytest

from recsys.core.parallel import AT_ONCE, shared, side_by_side


def test_results_come_in_the_order_of_the_items_while_two_are_worked_on() -> None:
    together = threading.Barrier(AT_ONCE, timeout=20)

    def work(item: int) -> int:
        together.wait()
        return item * item

    assert list(side_by_side(work, range(6))) == [0, 1, 4, 9, 16, 25]


def test_no_more_is_begun_than_is_soon_asked_for() -> None:
    begun = []

    def items() -> Iterator[int]:
        for item in range(100):
            begun.append(item)
            yield item

    results = side_by_side(str, items())
    assert [next(results), next(results)] == ["0", "1"]
    assert len(begun) == AT_ONCE + 2
    del results
    assert len(begun) == AT_ONCE + 2


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    done = []

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        done.append(item)
        return item

    results = side_by_side(work, range(100))
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert max(done) <= AT_ONCE + 1


def test_of_nothing_comes_nothing() -> None:
    assert list(side_by_side(str, ())) == []


@pytest.mark.parametrize(("count", "at_once"), [(0, 1), (1, 1), (7, 4), (200, 100), (201, 100), (10_000, 100)])
def test_few_things_are_shared_out_evenly_and_many_are_taken_so_many_at_once(count: int, at_once: int) -> None:
    assert shared(count, 100) == at_once
