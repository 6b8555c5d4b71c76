"""Look-alikes as they are asked for and told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.answers.audience.lookalike import Lookalike, lookalike
from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError

MAX_SIZE = 1_000_000_000
FIELDS = ("members", "size", "with_seeds")


@dataclass(frozen=True)
class Alike:
    """Members like those of a list: so many at most; with_seeds: members of the list may be among them."""

    members: tuple[str, ...]
    size: int
    with_seeds: bool = False

    def to_data(self) -> dict[str, Any]:
        """Return its JSON form, which `parse_alike` reads when it is given what stands under `lookalike`."""
        return {"lookalike": {"members": list(self.members), "size": self.size, "with_seeds": self.with_seeds}}


@dataclass(frozen=True, slots=True)
class AlikeMember:
    """A member like those of the list."""

    __pydantic_config__ = DESCRIBED
    member_id: str
    """The member."""
    score: float
    """How much alike, from 0 to 1; a probability of nothing."""


@dataclass(frozen=True, slots=True)
class AlikeTrait:
    """A number in which the list differs from the other members, all else being equal."""

    __pydantic_config__ = DESCRIBED
    name: str
    """The feature."""
    weight: float
    """Above 0: the list has more of it."""


@dataclass(frozen=True, slots=True)
class AlikeAnswer:
    """Members like those of a list, and how well the list can be told from the others."""

    __pydantic_config__ = DESCRIBED
    count: int
    """Members ranked."""
    seeds: int
    """Members of the list who are known."""
    unknown: int
    """Ids of the list that are not known, or opted out."""
    auc: float
    """Chance that a member of the list, held out of the fit, scores above another one; 0.5 = not told apart at all."""
    auc_low: float
    """Lower end of its 95% interval."""
    auc_high: float
    """Upper end."""
    traits: tuple[AlikeTrait, ...]
    """What tells the list apart, strongest first."""
    members: tuple[AlikeMember, ...]
    """The first of those ranked, most alike first."""
    publication: str
    """The publication answered from."""


def parse_alike(data: object) -> Alike:
    """Read what `Alike.to_data` writes under `lookalike`; `RequestError` names the part that is wrong."""
    if not isinstance(data, Mapping):
        raise RequestError("lookalike", "must be an object with members and size")
    for name in data:
        if name not in FIELDS:
            raise RequestError(f"lookalike.{name}", "is not taken here")
    members, size, with_seeds = data.get("members"), data.get("size"), data.get("with_seeds", False)
    if not isinstance(members, (list, tuple)) or not all(isinstance(one, str) for one in members):
        raise RequestError("lookalike.members", "must be a list of member ids")
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIZE:
        raise RequestError("lookalike.size", "must be a whole number, 1 or more")
    if not isinstance(with_seeds, bool):
        raise RequestError("lookalike.with_seeds", "must be true or false")
    return Alike(tuple(members), size, with_seeds)


def tell_alike(publication: Publication, alike: Alike, *, shown: int) -> AlikeAnswer:
    """Rank members by how much they are like a list, and tell the first of them."""
    found: Lookalike = lookalike(publication, alike.members, size=alike.size, with_seeds=alike.with_seeds)
    first = zip(found.rows[:shown].tolist(), found.score[:shown].tolist(), strict=True)
    return AlikeAnswer(
        count=len(found.rows),
        seeds=found.seeds,
        unknown=found.unknown,
        auc=found.auc,
        auc_low=found.auc_low,
        auc_high=found.auc_high,
        traits=tuple(AlikeTrait(one.name, one.weight) for one in found.traits),
        members=tuple(AlikeMember(publication.members.text(row), score) for row, score in first),
        publication=publication.name,
    )
