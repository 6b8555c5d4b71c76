"""Needs that a child outgrows: the mall days in which a category is needed, and where as_of lies among them."""

import pandas as pd

from recsys.core.task import FeatureSpec, View
from recsys.data.snapshot import Snapshot
from recsys.features.expression import AS_OF, Relation, features, number, ratio

_EPOCH = "DATE '1970-01-01'"


def _number(date: str) -> str:
    return f"CAST({date} - {_EPOCH} AS INTEGER)"


def _day_at(month: str) -> str:
    """Day number on which the child is so many calendar months old: the same day of the month, or the month's last."""
    return _number(f"CAST(child_birth_date + to_months({month}) AS DATE)")


# One row for each member with a child born before as_of and each category with a stage: the stage that lasts at as_of,
# else the next one to begin, else the last one that ended.
MEMBER_NEED = Relation(
    "member_need",
    f"""
    WITH spans AS (
        SELECT member_id, category, next_category,
               {_day_at("from_month")} AS start_day, {_day_at("to_month")} AS end_day
        FROM members CROSS JOIN life_stages
        WHERE {_number("child_birth_date")} < {AS_OF}
    ),
    ordered AS (
        SELECT *, row_number() OVER (
                   PARTITION BY member_id, category
                   ORDER BY CASE WHEN end_day > {AS_OF} THEN 0 ELSE 1 END, abs(end_day - {AS_OF})
               ) AS nth
        FROM spans
    )
    SELECT member_id, category, next_category, start_day, end_day FROM ordered WHERE nth = 1
    """,
)

MEMBER_CATEGORY_NEED = Relation(
    "member_category_need",
    """
    SELECT member_base.member_code, category_spine.category_code, start_day, end_day
    FROM member_need
    JOIN member_base ON member_base.member_id = member_need.member_id
    JOIN category_spine ON category_spine.category = member_need.category
    """,
)

SOURCES = (MEMBER_NEED, MEMBER_CATEGORY_NEED)

_NONE = "no life stage of the category, or no child born before as_of"
_END = "max(end_day)"

FEATURES: tuple[FeatureSpec, ...] = features(
    View.MEMBER_CATEGORY,
    "member_category_need",
    (
        number(
            "stage_days_left",
            "days",
            _NONE,
            "days from as_of to the first day after the child's stage, 0 once it has ended",
            f"CASE WHEN {_END} > {AS_OF} THEN {_END} - {AS_OF} WHEN {_END} <= {AS_OF} THEN 0 END",
        ),
        number(
            "stage_days_since_end",
            "days",
            _NONE,
            "days from the first day after the child's stage to as_of, 0 before it",
            f"CASE WHEN {_END} <= {AS_OF} THEN {AS_OF} - {_END} WHEN {_END} > {AS_OF} THEN 0 END",
        ),
        number(
            "stage_share_passed",
            "share",
            _NONE,
            "(as_of - first day of the stage) / days of the stage; below 0 before it begins, 1 and more once ended",
            ratio(f"{AS_OF} - max(start_day)", f"{_END} - max(start_day)"),
        ),
    ),
)


def needs(snapshot: Snapshot) -> pd.DataFrame:
    """List the needs that members' children outgrow: what the features above are computed from.

    Columns: member_id, category, `ends_day` (the number of the first mall day on which it is not needed any more) and
    `next_category` (None = nothing takes its place); a pair once.
    """
    with snapshot.connect() as connection:
        sql = MEMBER_NEED.sql.format(as_of=snapshot.as_of.number)
        frame = connection.execute(
            f"SELECT member_id, category, CAST(end_day AS INTEGER) AS ends_day, next_category FROM ({sql}) "
            "ORDER BY member_id, category"
        ).df()
    return frame.astype({"member_id": object, "category": object, "next_category": object})
