"""Weights of purchases as whole numbers, so that their sums do not depend on the order in which an engine adds them."""

from recsys.features.expression import AS_OF

UNITS = 1_000_000_000_000
"""Weights are whole parts of this."""

HALF_LIVES = (7, 14, 28, 56, 112)
"""Days after which a purchase counts half, of the decayed frequencies."""

KEPT = (60, 80, 90, 95)
"""Percent that a purchase keeps of its weight with each of the member's later purchase days."""

PARTS_KEPT = (80, 90, 95)
"""As KEPT, of days that weigh 1 / items bought on them."""


def whole(weight: str) -> str:
    """Round a weight in units to whole ones."""
    return f"CAST(round({weight}) AS BIGINT)"


def half_life(days: int) -> str:
    """Weight, in whole units, of a purchase day that halves every so many days."""
    return whole(f"{UNITS} * power(1 / 2, ({AS_OF} - day) / {days})")


def power(percent: int) -> str:
    """Weight, in units, of a purchase day that keeps so many percent at each later one of the member."""
    return f"{UNITS} * power({percent} / 100, recent - 1)"
