from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from recsys.answers.attribution import Attributed, Share, attribute
from recsys.core.errors import ConfigError
from recsys.core.time import AsOf, Window
from recsys.store.database import database
from recsys.store.events import AHEAD_SECONDS, received_from
from training.workspace import Workspace

USUAL_DAYS = 28


def run_attribution(workspace: Workspace, first: str, end: str, window_days: int) -> None:
    """Print what recommendations brought from a mall day on and before another; the last 28 days unless told."""
    period = _period(workspace, first, end)
    from_ = period.start.plus(days=-window_days).instant.timestamp() - AHEAD_SECONDS
    with database(workspace.home.database) as engine, engine.connect() as connection:
        found = attribute(received_from(connection, from_), period, window_days=window_days)
    if not found:
        workspace.screen.say(f"no impressions or clicks of recommendations in [{period.start}, {period.end})")
        return
    workspace.screen.say(f"met in [{period.start}, {period.end}), bought within {window_days} days; 95% intervals")
    for line in _lines(found):
        workspace.screen.say(line)
    if period.end.plus(days=window_days).instant > datetime.now(UTC):
        workspace.screen.say("what was met last can still be bought: its window has not ended")


def _period(workspace: Workspace, first: str, end: str) -> Window:
    zone = workspace.tables.zone
    tomorrow = AsOf(datetime.now(ZoneInfo(zone)).date(), zone).plus(days=1)
    last = AsOf.parse(end, zone) if end else tomorrow
    start = AsOf.parse(first, zone) if first else last.plus(days=-USUAL_DAYS)
    if start >= last:
        raise ConfigError("from", f"{start} does not lie before {last}")
    return Window(start, last)


def _lines(found: tuple[Attributed, ...]) -> Iterator[str]:
    names = ("placement", "variant", "model", "shown", "clicked", "click-through", "bought", "conversion")
    yield _line(*names, "purchases", "money", "purchases, seen only", "money, seen only")
    yield _line(*["---"] * 3, *["---:"] * 9)
    for one in found:
        yield _line(
            one.placement,
            one.variant,
            one.model_version or "-",
            str(one.shown),
            str(one.clicked),
            _told(one.click_through),
            str(one.bought),
            _told(one.conversion),
            str(one.purchases),
            f"{one.money:.2f}",
            str(one.purchases_seen),
            f"{one.money_seen:.2f}",
        )


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _told(share: Share) -> str:
    if share.value is None:
        return "-"
    return f"{share.value:.2%} [{share.low:.2%}, {share.high:.2%}]"
