"""What a member is offered, by stated rules: how likely the member buys anyway, and how much discounts move."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recsys.answers.audience.scenario import Scenario
from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication


class Benefit(StrEnum):
    """What comes with a message."""

    REMINDER = "reminder"
    """A message alone."""
    COUPON = "coupon"
    """Money off."""
    ADD_ON = "add_on"
    """Something small that comes with the purchase."""
    POINTS = "points"
    """Points on top."""


WORDS: Mapping[Benefit, tuple[str, str]] = {
    Benefit.REMINDER: ("仅提醒", "a reminder"),
    Benefit.COUPON: ("优惠券", "a coupon"),
    Benefit.ADD_ON: ("加赠", "an add-on"),
    Benefit.POINTS: ("积分", "points"),
}

SEGMENTATION = "promotion"
"""The segmentation by how much discounts move a member."""
BANDS = ("enthusiast", "sensitive", "neutral", "indifferent")
_BAND_WORDS: Mapping[str, tuple[str, str]] = {
    "enthusiast": ("促销热衷", "enthusiasts of promotions"),
    "sensitive": ("促销敏感", "sensitive to promotions"),
    "neutral": ("促销中性", "neutral to promotions"),
    "indifferent": ("促销无感", "indifferent to promotions"),
    "none": ("敏感度未知", "of unknown sensitivity"),
}


@dataclass(frozen=True, slots=True)
class BenefitRule:
    """One of a scenario's rules; the first whose condition holds gives the benefit."""

    __pydantic_config__ = DESCRIBED
    benefit: Benefit
    """What is offered."""
    zh: str
    """Chinese text of the condition and the benefit."""
    en: str
    """English text of the condition and the benefit."""


@dataclass(frozen=True)
class _Policy:
    """bands: benefit by band of `BANDS`, and last of those whose band is unknown.

    likely: from this probability on the member gets `when_likely`, whatever the band; None = never.
    """

    bands: tuple[Benefit, Benefit, Benefit, Benefit, Benefit]
    likely: float | None = None
    when_likely: Benefit = Benefit.REMINDER


_PLAIN = _Policy((Benefit.COUPON, Benefit.COUPON, Benefit.POINTS, Benefit.REMINDER, Benefit.REMINDER))
_POLICIES: Mapping[Scenario, _Policy] = {
    Scenario.REPURCHASE: _Policy(
        (Benefit.COUPON, Benefit.COUPON, Benefit.POINTS, Benefit.REMINDER, Benefit.REMINDER), likely=0.7
    ),
    Scenario.NEW_PRODUCT: _Policy(
        (Benefit.COUPON, Benefit.COUPON, Benefit.ADD_ON, Benefit.REMINDER, Benefit.ADD_ON),
    ),
    Scenario.WIN_BACK: _Policy(
        (Benefit.COUPON, Benefit.COUPON, Benefit.ADD_ON, Benefit.POINTS, Benefit.COUPON),
        likely=0.5,
        when_likely=Benefit.POINTS,
    ),
    Scenario.PROMOTION: _Policy((Benefit.COUPON, Benefit.COUPON, Benefit.COUPON, Benefit.COUPON, Benefit.COUPON)),
    Scenario.CROSS_SELL: _Policy(
        (Benefit.COUPON, Benefit.ADD_ON, Benefit.ADD_ON, Benefit.REMINDER, Benefit.ADD_ON),
    ),
    Scenario.RULE: _PLAIN,
    Scenario.LOOKALIKE: _PLAIN,
}
_CODES = tuple(Benefit)


def benefits(publication: Publication, scenario: Scenario, rows: "np.ndarray", chance: "np.ndarray") -> "np.ndarray":
    """(n,) places in `Benefit`.

    rows: (n,) members. chance: (n,) probability that the member buys anyway, NaN = unknown.
    """
    policy = _POLICIES[scenario]
    found: np.ndarray = np.array([_CODES.index(one) for one in policy.bands], dtype=np.int8)[_bands(publication, rows)]
    if policy.likely is not None:
        found[chance >= policy.likely] = _CODES.index(policy.when_likely)
    return found


def benefit_rules(scenario: Scenario) -> tuple[BenefitRule, ...]:
    """State a scenario's rules in words, in the order in which they hold."""
    policy = _POLICIES[scenario]
    told = []
    if policy.likely is not None:
        zh, en = WORDS[policy.when_likely]
        share = f"{policy.likely:.0%}"
        told.append(BenefitRule(policy.when_likely, f"购买概率不低于{share}：{zh}", f"likely by {share} or more: {en}"))
    if len(set(policy.bands)) == 1:
        zh, en = WORDS[policy.bands[0]]
        return (*told, BenefitRule(policy.bands[0], f"全部：{zh}", f"everybody: {en}"))
    for band, benefit in zip((*BANDS, "none"), policy.bands, strict=True):
        (band_zh, band_en), (zh, en) = _BAND_WORDS[band], WORDS[benefit]
        told.append(BenefitRule(benefit, f"{band_zh}：{zh}", f"{band_en}: {en}"))
    return tuple(told)


def _bands(publication: Publication, rows: "np.ndarray") -> "np.ndarray":
    """(n,) places in `BANDS`, its length = unknown."""
    column = publication.traits.segments.get(SEGMENTATION)
    if column is None:
        return np.full(len(rows), len(BANDS))
    place = [BANDS.index(code) if code in BANDS else len(BANDS) for code in column.spec.codes]
    return np.asarray(np.array([*place, len(BANDS)])[column.values[rows]])
