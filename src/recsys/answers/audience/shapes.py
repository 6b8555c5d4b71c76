"""What answers about audiences look like; the docstrings are the API's own words."""

from dataclasses import dataclass
from typing import Any

from recsys.answers.audience.benefits import Benefit
from recsys.answers.audience.why import Because
from recsys.answers.shapes import DESCRIBED, MemberTag


@dataclass(frozen=True, slots=True)
class Bin:
    """Members whose score lies in [low, high), the last bin's high included."""

    __pydantic_config__ = DESCRIBED
    low: float
    """Lower edge."""
    high: float
    """Upper edge."""
    count: int
    """Members."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a member is told, when, where and with which benefit."""

    __pydantic_config__ = DESCRIBED
    reason: Because
    """Why the member is in the audience."""
    reason_zh: str
    """Chinese text."""
    reason_en: str
    """English text."""
    products: tuple[str, ...]
    """Products to show, best first."""
    due_day: str | None
    """The mall day to be there for; null = unknown."""
    channel: str | None
    """The channel by which the member is best contacted; null = unknown."""
    hour: int | None
    """The hour of the day in which the member buys most; null = unknown."""
    format: str | None
    """The content format that the member prefers; null = unknown."""
    benefit: Benefit
    """What comes with the message, by the scenario's stated rules."""


@dataclass(frozen=True, slots=True)
class AudienceMember:
    """One member of a preview."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    score: float | None
    """The score that orders; null = the member has none."""
    tags: tuple[MemberTag, ...]
    """What operations call such a member."""
    offer: Offer | None
    """Of a rule or a template; null of a task."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far an audience overlaps with another one."""

    __pydantic_config__ = DESCRIBED
    audience: str
    """The other audience."""
    count: int
    """Members of both."""
    share: float
    """count / members of the audience that is previewed."""


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """How large an audience would be and what to expect of it."""

    __pydantic_config__ = DESCRIBED
    task: str
    """The prediction that orders, and of which the expectation is told."""
    score_name: str
    """Which of its scores."""
    count: int
    """Members selected."""
    scored: int
    """Members who fit and have such a score; of them the threshold or the top picks."""
    members: int
    """All members of the publication."""
    share: float
    """count / scored for a task, count / members for a rule or a template; 0 when there is nobody."""
    lowest: float | None
    """The lowest score selected; null = nobody with a score is."""
    expected: float | None
    """Sum of the selected members' scores: how many are expected to do it, or the money expected; null where such a
    sum means nothing."""
    expected_low: float | None
    """Of a number of members, the lower end of its 95% interval, if the probabilities are right; null = none."""
    expected_high: float | None
    """The upper end."""
    within_days: int | None
    """So many days ahead the expectation looks."""
    histogram: tuple[Bin, ...]
    """All who are `scored`, in twenty bins of equal width."""
    overlaps: tuple[Overlap, ...]
    """With other live audiences, the largest first; those without a member in common are left out."""
    sample: tuple[AudienceMember, ...]
    """The first members selected, highest score first."""
    rule: dict[str, Any] | None
    """The rule, that of a template too; null of a task."""
    rule_zh: str | None
    """The rule in Chinese."""
    rule_en: str | None
    """The rule in English."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""
    model_version: str | None
    """Version of the model."""
