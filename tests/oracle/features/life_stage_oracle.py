from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from tests.oracle.features.known import Known, day_of


@dataclass(frozen=True)
class Span:
    """Day numbers [start, end) of a need, and the category that follows it."""

    start: int
    end: int
    following: str | None


def span_of(known: Known, member: str, category: str) -> Span | None:
    """Find the span that lasts today, else the next one, else the last one."""
    born = known.members.get(member, {}).get("child_birth_date")
    if born is None or day_of(born) >= known.today:
        return None
    spans = sorted(
        (
            Span(months_on(born, row["from_month"]), months_on(born, row["to_month"]), row["next_category"])
            for row in known.stages
            if row["category"] == category
        ),
        key=lambda span: span.end,
    )
    unfinished = [span for span in spans if span.end > known.today]
    return unfinished[0] if unfinished else spans[-1] if spans else None


def months_on(born: date, months: int) -> int:
    """Turn the calendar's leaves one by one; a month that is too short ends the month of age on its last day."""
    year, month = born.year, born.month
    for _ in range(months):
        month += 1
        if month == 13:
            year, month = year + 1, 1
    return day_of(date(year, month, min(born.day, monthrange(year, month)[1])))
