"""What a publication lists for members, by the model that made it, as buffers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from recsys.answers.policy import Model
from recsys.artifacts.publication import Publication, Recommended
from recsys.artifacts.publication_columns import Ragged


@dataclass(frozen=True, eq=False)
class Pairs:
    """A ragged column as buffers, which single values are read from faster than from arrays."""

    start: memoryview
    other: memoryview
    columns: Mapping[str, memoryview]

    @classmethod
    def of(cls, ragged: Ragged) -> "Pairs":
        """Look at a ragged column."""
        columns = {name: column.data for name, column in ragged.columns.items()}
        return cls(ragged.start.data, ragged.other.data, columns)

    def rows(self, group: int) -> memoryview:
        """Return the second rows of a group, best first."""
        return self.other[self.start[group] : self.start[group + 1]]


@dataclass(frozen=True, eq=False)
class Own:
    """Members' own lists by one version of the model, and the codes of their reasons."""

    version: str | None
    recommend: Pairs
    reasons: memoryview
    discovery: Pairs
    discovery_reasons: memoryview

    @classmethod
    def of(cls, made: Recommended) -> "Own":
        """Look at what a model made."""
        recommend, discovery = Pairs.of(made.recommend), Pairs.of(made.discovery)
        return cls(made.version, recommend, made.reasons.data, discovery, made.discovery_reasons.data)


def made_by(publication: Publication, model: Model) -> Recommended:
    """Return what a model made; the champion stands in for a challenger that was not published."""
    tried = publication.challenger if model == "challenger" else None
    return tried or publication.champion


def own_lists(publication: Publication) -> dict[Model, Own]:
    """Return the lists of each model."""
    return {model: Own.of(made_by(publication, model)) for model in get_args(Model)}
