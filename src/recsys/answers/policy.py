"""Placement policy as data: which sources fill a placement, in which order, under which limits."""

from pathlib import Path

from pydantic import Field, model_validator

from recsys.answers.shapes import Source
from recsys.artifacts.publication_content import BOUGHT_DAYS
from recsys.core.config import Settings, read_toml
from recsys.core.errors import RequestError


class SourceRule(Settings):
    """One source of a placement.

    share: this part of the places (rounded down) is kept for the source, at the end of the answer; none = it fills
        what the sources before it left.
    """

    name: Source
    share: float | None = Field(default=None, gt=0, le=1)


class Placement(Settings):
    """How one place in the mall is filled.

    title: what people call it.
    sources: filled in this order.
    fallback: tried in this order when the sources leave places empty; told in the answer.
    max_per_category: so many items of one category at most, lifted (and told) when places stay empty; none = no limit.
    recent_days: a product that does not run out is left out for so many days after the member bought it, until nothing
        else is left (and told).
    """

    title: str
    sources: tuple[SourceRule, ...] = Field(min_length=1)
    fallback: tuple[Source, ...] = (Source.POPULAR,)
    max_per_category: int | None = Field(default=None, ge=1)
    recent_days: int = Field(default=90, ge=0, le=BOUGHT_DAYS)

    @model_validator(mode="after")
    def _ends_in_popular(self) -> "Placement":
        if Source.POPULAR not in (*self.fallback, *(rule.name for rule in self.sources)):
            raise ValueError("a placement needs `popular` among its sources or fallback, or it can come out empty")
        if sum(rule.share or 0 for rule in self.sources) > 1:
            raise ValueError("the shares of a placement's sources add up to more than 1")
        return self


class Placements(Settings):
    """All placements, by the name that requests use."""

    placements: dict[str, Placement] = Field(min_length=1)

    def of(self, name: str) -> Placement:
        """Return a placement; `RequestError` lists the names there are."""
        try:
            return self.placements[name]
        except KeyError:
            raise RequestError("placement", f"is none of {', '.join(sorted(self.placements))}") from None


def read_placements(path: Path) -> Placements:
    """Read a `placements.toml`: one table a placement; `ConfigError` names the first setting that is wrong."""
    return Placements.checked({"placements": read_toml(path)})
