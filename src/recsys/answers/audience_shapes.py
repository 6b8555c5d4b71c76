"""What answers about audiences look like; the docstrings are the API's own words."""

from dataclasses import dataclass

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
class AudienceMember:
    """One member of a preview."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    score: float
    """The score asked for."""
    tags: tuple[MemberTag, ...]
    """What operations call such a member."""


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """How large an audience would be and what to expect of it."""

    __pydantic_config__ = DESCRIBED
    task: str
    """The prediction that selects."""
    score_name: str
    """Which of its scores."""
    count: int
    """Members selected."""
    scored: int
    """Members that have such a score."""
    share: float
    """count / scored; 0 when nobody is scored."""
    lowest: float | None
    """The lowest score selected; null = nobody is."""
    expected: float | None
    """Sum of the selected members' scores: how many are expected to do it, or the money expected; null where such a
    sum means nothing."""
    histogram: tuple[Bin, ...]
    """All scored members, in twenty bins of equal width."""
    sample: tuple[AudienceMember, ...]
    """The first members selected, highest score first."""
    as_of: str
    """What happened from this day on is not known yet."""
    publication: str
    """The publication answered from."""
    model_version: str | None
    """Version of the model."""
