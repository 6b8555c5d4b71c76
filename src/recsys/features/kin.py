"""Features of a member and an item by the kin of the item: what the member bought of its category or subcategory."""

from recsys.features.expression import AS_OF, NEVER, Draft, Relation, number, ratio
from recsys.features.level import Level
from recsys.features.weight import UNITS

PLURALS = {"product": "products", "subcategory": "subcategories"}


def rhythm_relation(kin: str) -> Relation:
    """Draft one row for each member and kin bought: category or subcategory.

    kept: visits weighing 0.9 for every later visit of the member, in whole units; ago: the member's visits after the
    last one with the kin; gap, visit_gap: mean days and visits from one with the kin to the next.
    """
    return Relation(
        f"member_{kin}_rhythm",
        f"""
        SELECT member_code, {kin}_code, count(*) AS days, max(day) AS last_day,
               (max(day) - min(day)) / nullif(count(*) - 1, 0) AS gap,
               min(ago) AS ago, (max(ago) - min(ago)) / nullif(count(*) - 1, 0) AS visit_gap,
               CAST(sum(kept_90) AS BIGINT) AS kept
        FROM member_{kin}_visit GROUP BY member_code, {kin}_code
        """,
    )


SOURCES = (rhythm_relation("category"), rhythm_relation("subcategory"))


def kin_relations(level: Level) -> tuple[Relation, ...]:
    """Draft the relation of each kin of a level's items."""
    return tuple(_kin_relation(level, kin) for kin in level.kin)


def _kin_relation(level: Level, kin: str) -> Relation:
    """Draft one row a pair: what the member bought of the item, of its kin, and of everything.

    *_times count (item, day) pairs.
    """
    name, code = level.name, level.code
    return Relation(
        f"{level.own}_{kin}",
        f"""
        WITH broad AS (
            SELECT member_code, base.{kin}_code, CAST(sum(days) AS BIGINT) AS times, count(*) AS items
            FROM member_{name}_life AS life JOIN {name}_base AS base ON base.{code} = life.{code}
            GROUP BY member_code, base.{kin}_code
        )
        SELECT own.member_code, own.{code}, own.days, own.kept_90 AS own_kept, own.ago AS own_ago,
               rhythm.days AS kin_days, rhythm.last_day AS kin_last_day, rhythm.gap AS kin_gap,
               broad.times AS kin_times, broad.items AS kin_items,
               rhythm.ago, rhythm.kept AS kin_kept, rhythm.visit_gap, totals.visits, totals.{name}_times AS times
        FROM {level.own}_chance AS own
        JOIN {name}_base AS base ON base.{code} = own.{code}
        JOIN member_total AS totals ON totals.member_code = own.member_code
        LEFT JOIN broad ON broad.member_code = own.member_code AND broad.{kin}_code = base.{kin}_code
        LEFT JOIN member_{kin}_rhythm AS rhythm
            ON rhythm.member_code = own.member_code AND rhythm.{kin}_code = base.{kin}_code
        """,
        stored=False,
    )


def kin_drafts(level: Level, kin: str) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_<kin>`."""
    own, affinity, item = level.own, f"{level.affinity}_{kin}", level.name
    none, one_day = f"the member never bought its {kin}", f"the member bought its {kin} on fewer than 2 days"
    return (
        number(
            f"{own}_share_of_{kin}",
            "share",
            none,
            f"days with it / ({item}, day) pairs in its {kin}",
            ratio("coalesce(days, 0)", "kin_times"),
        ),
        number(
            f"{own}_kept_share_of_{kin}",
            "ratio",
            none,
            f"{own}_kept_90 / {affinity}_kept_90",
            ratio("coalesce(own_kept, 0)", "kin_kept"),
        ),
        number(
            f"{own}_behind_{kin}",
            "count",
            "the member never bought it",
            f"the member's visits after the last one with it - those after the last one with its {kin}",
            "own_ago - ago",
        ),
        number(
            f"{affinity}_visit_share",
            "share",
            NEVER,
            f"days with its {kin} / the member's purchase days",
            "coalesce(kin_days, 0) / visits",
        ),
        number(
            f"{affinity}_share",
            "share",
            NEVER,
            f"({item}, day) pairs in its {kin} / all the member's",
            "coalesce(kin_times, 0) / times",
        ),
        number(
            f"{affinity}_kept_90",
            "count",
            NEVER,
            f"days with its {kin}, each weighing 0.90 for every later visit of the member",
            f"coalesce(kin_kept, 0) / {UNITS}",
        ),
        number(
            f"{affinity}_days_since",
            "days",
            none,
            f"as_of - last purchase day in its {kin}",
            f"{AS_OF} - kin_last_day",
        ),
        number(
            f"{affinity}_overdue_ratio",
            "ratio",
            one_day,
            f"days since the last purchase in its {kin} / mean gap in its {kin}",
            ratio(f"{AS_OF} - kin_last_day", "kin_gap"),
        ),
        number(
            f"{affinity}_visits_overdue_ratio",
            "ratio",
            one_day,
            f"the member's visits after the last one with its {kin} / mean visits from one with it to the next",
            ratio("ago", "visit_gap"),
        ),
        number(
            f"{affinity}_{PLURALS[item]}",
            "count",
            NEVER,
            f"distinct items of its {kin} that the member bought",
            "coalesce(kin_items, 0)",
        ),
    )
