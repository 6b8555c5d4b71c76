"""What `recsys tags` shows: the catalogue, a member's tags, or how they changed."""

from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.columns import TagValue
from recsys.artifacts.tagging.history import member_history
from recsys.core.config import Home
from recsys.core.errors import RequestError
from training.aligned import Rows, aligned
from training.screen import Screen


def run_tags(home: Home, screen: Screen, member_id: str, *, history: bool) -> None:
    """Show a member's tags and segments, or how they changed; without a member, what tags there are."""
    publication = Publication.open_current(home.publications)
    if not member_id:
        if history:
            raise RequestError("member", "name one to see a history")
        _catalogue(screen, publication)
        return
    if publication.refused(member_id):
        screen.say(f"{member_id} opted out of personalisation: nothing is told")
        return
    row = publication.members.row(member_id)
    if row is None:
        raise RequestError("member", f"{member_id!r} is no known member")
    if history:
        _history(home, screen, publication, member_id)
        return
    screen.say(f"{member_id} as of {publication.as_of}")
    rows: Rows = [("tag", "value", "unit", "pace", "zh", "en")]
    for name, column in publication.traits.tags.items():
        spec = column.spec
        rows.append((name, shown(column.at(row)), spec.unit, str(spec.pace), spec.zh, spec.en))
    for name, cut in publication.traits.segments.items():
        rows.append((name, shown(cut.at(row)), "-", "segment", cut.spec.zh, cut.spec.en))
    _say(screen, rows)


def shown(value: TagValue) -> str:
    """Write a value for people."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _catalogue(screen: Screen, publication: Publication) -> None:
    rows: Rows = [("tag", "group", "pace", "dtype", "unit", "zh", "en", "about")]
    for name, column in publication.traits.tags.items():
        spec = column.spec
        about = f"{spec.about_zh} / {spec.about_en}"
        rows.append((name, str(spec.group), str(spec.pace), spec.dtype, spec.unit, spec.zh, spec.en, about))
    _say(screen, rows)
    for name, cut in publication.traits.segments.items():
        values = ", ".join(f"{value.code} {value.zh}" for value in cut.spec.values)
        screen.say(f"segmentation {name} ({cut.spec.zh}, {cut.spec.en}): {values}")


def _history(home: Home, screen: Screen, publication: Publication, member_id: str) -> None:
    told = member_history(home.tags, publication, member_id)
    traits = publication.traits
    counted = {name for name, column in traits.tags.items() if column.spec.counts_from}
    words = {name: column.spec.zh for name, column in traits.tags.items()}
    words |= {name: cut.spec.zh for name, cut in traits.segments.items()}
    rows: Rows = [("as of", "tag", "before", "after", "", "zh")]
    for change in told:
        mark = "counted from" if change.name in counted else ""
        values = (shown(change.before), shown(change.after))
        rows.append((change.as_of, change.name, *values, mark, words.get(change.name, "")))
    _say(screen, rows)


def _say(screen: Screen, rows: Rows) -> None:
    for line in aligned(rows):
        screen.say(line)
