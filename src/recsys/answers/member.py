"""Who asks, and what may be used about them."""

from dataclasses import dataclass

from recsys.answers.shapes import Standing
from recsys.artifacts.publication import Publication


@dataclass(frozen=True)
class Asker:
    """The one who asks; `row` is None for everybody who is not answered from a history."""

    standing: Standing
    row: int | None


def asker(publication: Publication, member_id: str | None, *, personalised: bool) -> Asker:
    """Look a member up; whoever opted out, for good or in this request, is not looked up at all."""
    if member_id is None:
        return Asker(Standing.ANONYMOUS, None)
    if not personalised:
        return Asker(Standing.NOT_PERSONALISED, None)
    if publication.refused(member_id):
        return Asker(Standing.OPTED_OUT, None)
    row = publication.members.row(member_id)
    return Asker(Standing.UNKNOWN if row is None else Standing.KNOWN, row)
