"""What the features of a member and an item are computed from, at one level."""

from recsys.features.expression import Relation
from recsys.features.level import Level
from recsys.features.weight import HALF_LIVES, KEPT, PARTS_KEPT, UNITS, whole

RANKS = (
    ("tifu", "tifu_score", "tifu_score"),
    ("near", "tifu_near", "tifu_near"),
    ("upcf", "upcf_score", "upcf_score"),
    ("kept", "kept_95", "coalesce(kept_95, 0)"),
    ("part", "part_kept_95", "coalesce(part_95, 0)"),
    ("hazard", "hazard", "coalesce(hazard, 0)"),
)
"""Ranks among a member's pairs: the name, the feature that is ranked, and its SQL."""

VISIT = (
    "visit",
    "ago",
    "visits",
    "usual",
    *(f"half_life_{days}" for days in HALF_LIVES),
    *(f"kept_{percent}" for percent in KEPT),
    "log_size",
    "sizes",
    "part",
    *(f"part_{percent}" for percent in PARTS_KEPT),
)
"""What is told of the visit at which an item was bought."""


def pair_relations(level: Level) -> tuple[Relation, ...]:
    """Draft the relations of a level's pairs, which read `candidate_<level>`."""
    name, code = level.name, level.code
    # One row a visit; basket: items bought; sizes: sum of the logarithms of `basket` over all visits of the member.
    # part_*: what an item of that day weighs when the day's items share its weight.
    basket = Relation(
        f"{name}_basket",
        f"""
        WITH counted AS (
            SELECT member_code, day, count(*) AS basket FROM member_{name}_visit GROUP BY member_code, day
        ),
        sized AS (
            SELECT *, {whole(f"{UNITS} * ln(basket)")} AS log_size FROM counted
        )
        SELECT visit.*, log_size, sum(log_size) OVER (PARTITION BY visit.member_code) AS sizes,
               {whole(f"{UNITS} / basket")} AS part,
               {", ".join(f"{whole(f'power_{percent} / basket')} AS part_{percent}" for percent in PARTS_KEPT)}
        FROM member_visit AS visit
        JOIN sized ON sized.member_code = visit.member_code AND sized.day = visit.day
        """,
    )
    spine = Relation(
        f"{level.pairs}_spine",
        f"""
        SELECT candidate.member_code, candidate.{code}, member_id, {level.key}
        FROM candidate_{name} AS candidate
        JOIN member_spine ON member_spine.member_code = candidate.member_code
        JOIN {name}_spine AS item ON item.{code} = candidate.{code}
        """,
    )
    # One row a pair and visit at which the item was bought.
    visit = Relation(
        f"{level.own}_visit",
        f"""
        SELECT bought.member_code, {code}, bought.day, quantity, gap, visit_gap, bought.recent,
               {", ".join(f"held.{column}" for column in VISIT)}
        FROM member_{name}_visit AS bought
        JOIN {name}_basket AS held ON held.member_code = bought.member_code AND held.day = bought.day
        WHERE (bought.member_code, {code}) IN (SELECT member_code, {code} FROM candidate_{name})
        """,
    )
    # One row a pair: what ranks and kin compare. days, ago, kept_*, part_*: null where the member never bought it.
    chance = Relation(
        f"{level.own}_chance",
        f"""
        WITH seen AS (
            SELECT member_code, {code}, count(*) AS days, min(ago) AS ago, CAST(sum(kept_90) AS BIGINT) AS kept_90,
                   CAST(sum(kept_95) AS BIGINT) AS kept_95, CAST(sum(part_95) AS BIGINT) AS part_95
            FROM {level.own}_visit GROUP BY member_code, {code}
        )
        SELECT candidate.member_code, candidate.{code}, tifu_score, tifu_near, upcf_score, days, ago, kept_90, kept_95,
               part_95, hazard
        FROM candidate_{name} AS candidate
        LEFT JOIN seen ON seen.member_code = candidate.member_code AND seen.{code} = candidate.{code}
        LEFT JOIN {name}_hazard AS hazards
            ON hazards.{code} = candidate.{code} AND seen.ago + 1 BETWEEN hazards.first_visit AND hazards.last_visit
        """,
    )
    # One row a pair: its places among the member's pairs.
    rank = Relation(
        f"{level.own}_rank",
        f"""
        SELECT member_code, {code},
               {", ".join(f"{_place(score)} AS {kind}_rank" for kind, _, score in RANKS)}
        FROM {level.own}_chance
        """,
        stored=False,
    )
    # One row a pair: the item's place among the member's items, and how due it is.
    standing = Relation(
        f"{level.own}_standing",
        f"""
        WITH ranked AS (
            SELECT member_code, {code}, days, last_day,
                   rank() OVER (PARTITION BY member_code ORDER BY days DESC) AS frequency_rank,
                   rank() OVER (PARTITION BY member_code ORDER BY last_day DESC) AS recency_rank
            FROM member_{name}_life
        )
        SELECT candidate.member_code, candidate.{code}, days, last_day, frequency_rank, recency_rank,
               usual.gap AS item_gap, visits
        FROM candidate_{name} AS candidate
        JOIN member_total AS totals ON totals.member_code = candidate.member_code
        LEFT JOIN {name}_usual AS usual ON usual.{code} = candidate.{code}
        LEFT JOIN ranked ON ranked.member_code = candidate.member_code AND ranked.{code} = candidate.{code}
        """,
        stored=False,
    )
    return basket, spine, visit, chance, rank, standing


def _place(score: str) -> str:
    return f"rank() OVER (PARTITION BY member_code ORDER BY {score} DESC)"
