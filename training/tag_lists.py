"""What `recsys tags` shows: the catalogue, a member's tags, or how they changed."""

from rich.table import Table

from recsys.artifacts.publication import Publication
from recsys.artifacts.tagging.columns import TagValue
from recsys.artifacts.tagging.history import member_history
from recsys.core.config import Home
from recsys.core.errors import RequestError
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
    table = Table("tag", "zh", "en", "value", "unit", "pace", title=f"{member_id} as of {publication.as_of}")
    for name, column in publication.traits.tags.items():
        spec = column.spec
        table.add_row(name, spec.zh, spec.en, shown(column.at(row)), spec.unit, str(spec.pace))
    for name, cut in publication.traits.segments.items():
        table.add_row(name, cut.spec.zh, cut.spec.en, shown(cut.at(row)), "-", "segment")
    screen.show(table)


def shown(value: TagValue) -> str:
    """Write a value for people."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _catalogue(screen: Screen, publication: Publication) -> None:
    table = Table("tag", "group", "pace", "dtype", "unit", "zh", "en", "about")
    for name, column in publication.traits.tags.items():
        spec = column.spec
        table.add_row(name, str(spec.group), str(spec.pace), spec.dtype, spec.unit, spec.zh, spec.en, spec.about_en)
    screen.show(table)
    for name, cut in publication.traits.segments.items():
        values = ", ".join(f"{value.code} {value.zh}" for value in cut.spec.values)
        screen.say(f"segmentation {name} ({cut.spec.zh}, {cut.spec.en}): {values}")


def _history(home: Home, screen: Screen, publication: Publication, member_id: str) -> None:
    told = member_history(home.tags, publication, member_id)
    specs = {name: column.spec for name, column in publication.traits.tags.items()}
    table = Table("as of", "tag", "zh", "before", "after", title=f"{member_id}: changes up to {publication.as_of}")
    for change in told:
        spec = specs.get(change.name)
        segment = publication.traits.segments.get(change.name)
        zh = spec.zh if spec is not None else segment.spec.zh if segment is not None else ""
        mark = " (counted from)" if spec is not None and spec.counts_from else ""
        table.add_row(change.as_of, change.name + mark, zh, shown(change.before), shown(change.after))
    screen.show(table)
