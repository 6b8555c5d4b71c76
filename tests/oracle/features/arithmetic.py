"""What the formulas say, number by number; None is unknown."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import mean, stdev

from tests.oracle.features.known import Line, days_of

Number = float | int | None


def over(part: Number, whole: Number) -> Number:
    return None if part is None or not whole else part / whole


def trend(late: float, early: float) -> Number:
    return over(late - early, late + early)


def gaps(days: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(days)]


def mean_gap(days: Sequence[int]) -> Number:
    return mean(gaps(days)) if len(days) > 1 else None


def sd_gap(days: Sequence[int]) -> Number:
    return stdev(gaps(days)) if len(days) > 2 else None


def last_gap(days: Sequence[int]) -> Number:
    return gaps(days)[-1] if len(days) > 1 else None


def weighted_gap(days: Sequence[int]) -> Number:
    latest = list(reversed(gaps(days)))[:8]
    weights = [128 / 2**age for age in range(len(latest))]
    return over(sum(gap * weight for gap, weight in zip(latest, weights, strict=True)), sum(weights))


def money(lines: Iterable[Line]) -> float:
    return sum(line.money for line in lines)


def quantity(lines: Iterable[Line]) -> float:
    return sum(line.quantity for line in lines)


def discount_share(lines: Sequence[Line]) -> Number:
    discount = sum(line.discount for line in lines)
    return over(discount, money(lines) + discount)


def pairs_of_days(lines: Iterable[Line]) -> set[tuple[str, int]]:
    """(member, day) pairs."""
    return {(line.member, line.day) for line in lines}


def products_on_days(lines: Iterable[Line]) -> set[tuple[str, int]]:
    """(product, day) pairs."""
    return {(line.product, line.day) for line in lines}


def members_of(lines: Iterable[Line]) -> set[str]:
    return {line.member for line in lines}


def days_by(lines: Iterable[Line], name: str) -> dict[str, list[int]]:
    """Purchase days, ascending, of each value of a field."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(getattr(line, name), []).append(line)
    return {value: days_of(group) for value, group in groups.items()}


def place(value: float, values: Iterable[float]) -> int:
    """1 + how many are larger; money is told apart to a ten-thousandth."""
    return 1 + sum(round(other, 4) > round(value, 4) for other in values)
