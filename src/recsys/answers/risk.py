"""How great a member's risk of leaving is, in words that operations can act on."""

from enum import StrEnum

HIGH_ODDS = 3.0
"""From so many times the odds of the average scored member on, a risk is high."""


class Band(StrEnum):
    """A band of churn risk, by the calibrated probability against that of the average scored member.

    Odds, not ranks or a fixed probability: where nobody stands out nobody is at high risk, where many leave many are,
    and the rule holds for a grocer of whose members one in seven stays away as for a boutique where three in four do.
    """

    HIGH = "high"
    """At least `HIGH_ODDS` times the odds of the average."""
    MEDIUM = "medium"
    """At or above the average."""
    LOW = "low"
    """Below the average."""


def band(score: float, base: float) -> Band:
    """Place a probability.

    base: mean probability of all members scored, inside [0, 1].
    """
    if score >= high_from(base):
        return Band.HIGH
    return Band.MEDIUM if score >= base else Band.LOW


def high_from(base: float) -> float:
    """Return the lowest probability of high risk; NaN when nobody was scored."""
    return HIGH_ODDS * base / (1 - base + HIGH_ODDS * base)
