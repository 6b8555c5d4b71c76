from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

AT_ONCE = 2


def shared(count: int, most: int) -> int:
    """Return how many of the things that there are to take at once: so many at most, and some for each thread."""
    return max(1, min(most, -(-count // AT_ONCE)))


def side_by_side(work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield `work(item)` for each item, in their order, while threads work on the next `AT_ONCE`.

    It gains where the work releases Python's lock, as engines do. `AT_ONCE + 1` results are held at most. What the work
    raises is raised where its result would have come, once what had begun is through.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        waiting: deque[Future[Made]] = deque()
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
