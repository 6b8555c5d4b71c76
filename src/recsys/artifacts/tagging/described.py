"""How tags are described: as a feature, as a column of their own, or as a standing."""

from recsys.artifacts.publication_content import Tag
from recsys.artifacts.tagging.spec import Group, Kind, Pace, TagSpec

Words = tuple[str, str]
"""Chinese and English."""


def feature(
    name: str, group: Group, pace: Pace, unit: str, words: Words, about: Words, *, since: bool = False
) -> TagSpec:
    """Describe a tag that is the feature of the same name; `-` as the unit says that it is a text.

    since: it counts days from something on.
    """
    kind = Kind.TEXT if unit == "-" else Kind.NUMBER
    return TagSpec(name, group, pace, kind, unit, *words, *about, feature=name, counts_from=since)


def own(name: str, group: Group, pace: Pace, unit: str, words: Words, about: Words, *, since: bool = False) -> TagSpec:
    """Describe a tag with a column of its own; `-` as the unit says that it is a text."""
    kind = Kind.TEXT if unit == "-" else Kind.NUMBER
    return TagSpec(name, group, pace, kind, unit, *words, *about, counts_from=since)


def flag(tag: Tag, words: Words, about: Words) -> TagSpec:
    """Describe a standing."""
    return TagSpec(str(tag), Group.STANDING, Pace.DYNAMIC, Kind.FLAG, "-", *words, *about, flag=tag)
