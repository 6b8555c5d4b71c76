"""The few pieces that feature expressions are made of, spelt as DuckDB and Spark SQL both read them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recsys.core.task import FeatureSpec, View

WINDOWS = (7, 30, 90, 365)
NEVER = "never null"
MONEY_UNITS = 10_000
QUANTITY_UNITS = 1_000
AS_OF = "{as_of}"

_AGGREGATE = re.compile(r"\b(count|max|median|min|sum)\(")


@dataclass(frozen=True)
class Relation:
    """A named table of a snapshot's computation, read by features or by later relations.

    sql: its query; `{as_of}` is the day number of as_of.
    stored: computed once; else where it is read, which is cheaper for what is read once.
    """

    name: str
    sql: str
    stored: bool = True


@dataclass(frozen=True)
class Draft:
    """A feature before it is told its view and source; the fields are those of `FeatureSpec`."""

    name: str
    kind: str
    unit: str
    null_meaning: str
    formula: str
    sql: str


def aggregates(sql: str) -> bool:
    """Whether an expression makes one value of many rows; one that does not reads a source with one row a key."""
    return _AGGREGATE.search(sql) is not None


def number(name: str, unit: str, null_meaning: str, formula: str, sql: str) -> Draft:
    """Draft a float64 feature; with `NEVER` it is 0 where its source has no row of the key."""
    return Draft(name, "number", unit, null_meaning, formula, sql)


def text(name: str, null_meaning: str, formula: str, sql: str) -> Draft:
    """Draft a categorical feature."""
    return Draft(name, "category", "-", null_meaning, formula, sql)


def features(view: View, source: str, drafts: Iterable[Draft]) -> tuple[FeatureSpec, ...]:
    """Place drafts in a view, all over one source relation."""
    return tuple(
        FeatureSpec(draft.name, view, draft.kind, draft.unit, draft.null_meaning, draft.formula, source, draft.sql)
        for draft in drafts
    )


def within(days: int) -> str:
    """Condition: the row's day lies in [as_of - days, as_of)."""
    return f"day >= {AS_OF} - {days}"


def between(start: int, end: int) -> str:
    """Condition: the row's day lies in [as_of - start, as_of - end)."""
    return f"day >= {AS_OF} - {start} AND day < {AS_OF} - {end}"


def when(condition: str, value: str) -> str:
    """Value where the condition holds, else null."""
    return f"CASE WHEN {condition} THEN {value} END"


def count(condition: str) -> str:
    """Rows where the condition holds."""
    return f"count({when(condition, '1')})"


def distinct(column: str, condition: str = "1 = 1") -> str:
    """Distinct non-null values of a column where the condition holds."""
    return f"count(DISTINCT {when(condition, column)})"


def total(column: str, condition: str = "1 = 1") -> str:
    """Sum of an integer column where the condition holds, 0 where it never does."""
    return f"coalesce(sum({when(condition, column)}), 0)"


def money(condition: str = "1 = 1") -> str:
    """Money paid where the condition holds, in the deployment's currency."""
    return f"{total('money', condition)} / {MONEY_UNITS}"


def quantity(condition: str = "1 = 1") -> str:
    """Units bought where the condition holds."""
    return f"{total('quantity', condition)} / {QUANTITY_UNITS}"


def ratio(part: str, whole: str) -> str:
    """Part over whole, null where the whole is 0 or null."""
    return f"({part}) / nullif({whole}, 0)"


def trend(late: str, early: str) -> str:
    """(late - early) / (late + early): -1 = stopped, 0 = level, 1 = begun, null = neither."""
    return f"(({late}) - ({early})) / nullif(({late}) + ({early}), 0)"


def recency(column: str = "day") -> str:
    """Days from the latest value of a day column to as_of."""
    return f"{AS_OF} - max({column})"


def mean_gap() -> str:
    """Mean of the gaps, which are whole days."""
    return ratio("sum(gap)", "count(gap)")


def sd_gap() -> str:
    """Sample standard deviation of the gaps, from exact integer sums so that the order of rows cannot matter."""
    spread = "count(gap) * sum(gap * gap) - sum(gap) * sum(gap)"
    return f"sqrt(({spread}) / nullif(count(gap) * (count(gap) - 1), 0))"


def last_gap() -> str:
    """Gap between the last two purchase days."""
    return f"max({when('recent = 1', 'gap')})"


def recent(window: str) -> str:
    """Ordinal from the last of a window's rows, 1 = the last; window: how it is partitioned and ordered."""
    whole = f"{window} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    return f"1 + count(*) OVER ({whole}) - row_number() OVER ({window})"


def gap_weight() -> str:
    """Weight of a gap from its age: 128 for the latest, half for each older one, 0 beyond eight: exact in integers."""
    return "CASE " + " ".join(f"WHEN recent = {age} THEN {2 ** (8 - age)}" for age in range(1, 9)) + " ELSE 0 END"


def weighted_gap() -> str:
    """Mean of the latest eight gaps, each older one weighing half."""
    return ratio("sum(gap * weight)", f"sum({when('gap IS NOT NULL', 'weight')})")


def overdue(gap: str) -> str:
    """Days since the last purchase day over a usual gap."""
    return f"({recency()}) / nullif({gap}, 0)"
