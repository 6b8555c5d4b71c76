"""The words of each standing of a member, in Chinese and English."""

from recsys.answers.shapes import MemberTag
from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging import standing


def member_tags(publication: Publication, row: int) -> tuple[MemberTag, ...]:
    """Return a member's standings in words."""
    held = publication.member_tags(row)
    return tuple(MemberTag(spec.flag, spec.zh, spec.en) for spec in standing.TAGS if spec.flag in held and spec.flag)
