"""Features of a member and an item that the member may be offered: own history and rhythm, at one level."""

from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
    Relation,
    count,
    last_gap,
    mean_gap,
    number,
    overdue,
    quantity,
    ratio,
    recency,
    sd_gap,
    when,
    within,
)
from recsys.features.level import Level

HALF_LIVES = (7, 14, 28, 56, 112)
"""Days after which a purchase counts half, of the decayed frequencies."""

KEPT = (60, 80, 90, 95)
"""Percent that a purchase keeps of its weight with each of the member's later purchase days."""

PARTS_KEPT = (80, 90, 95)
"""As KEPT, of days that weigh 1 / items bought on them."""

LAST_VISITS = (1, 3, 5, 10, 20)
"""Latest purchase days of the member that the item's share is taken of."""

UNITS = 1_000_000_000_000
"""Weights are whole parts of this, so that their sums do not depend on the order in which an engine adds them."""

LOG_SIZE = f"CAST(round({UNITS} * ln(basket)) AS BIGINT)"
"""Logarithm, in whole units, of the items bought on a day."""

RANKS = (
    ("tifu", "tifu_score", "tifu_score"),
    ("near", "tifu_near", "tifu_near"),
    ("upcf", "upcf_score", "upcf_score"),
    ("kept", "kept_95", "coalesce(kept, 0)"),
    ("part", "part_kept_95", "coalesce(part, 0)"),
    ("hazard", "hazard", "coalesce(hazard, 0)"),
)
"""Ranks among a member's pairs: the name, the feature that is ranked, and its SQL."""

_NOT_BOUGHT = "the member never bought it"
_ONE_DAY = "the member bought it on fewer than 2 days"


def half_life(days: int) -> str:
    """Weight, in whole units, of a purchase day that halves every so many days."""
    return f"CAST(round({UNITS} * power(0.5, ({AS_OF} - day) / {days}.0)) AS BIGINT)"


def kept(percent: int, ago: str = "ago", size: str = "1") -> str:
    """Weight, in whole units, of a purchase day that keeps so many percent at each later one of the member.

    size: what it is divided by.
    """
    return f"CAST(round({UNITS} * power({percent} / 100.0, {ago}) / {size}) AS BIGINT)"


def pair_relations(level: Level) -> tuple[Relation, ...]:
    """Draft the relations of a level's pairs, which read `candidate_<level>`."""
    name, code = level.name, level.code
    # One row a member and visit; visit: its ordinal; visits: how many the member has; usual: mean days between them;
    # basket: items bought; sizes: sum of the logarithms of `basket` over all visits of the member.
    basket = Relation(
        f"{name}_basket",
        f"""
        WITH counted AS (
            SELECT member_code, day, count(*) AS basket FROM member_{name}_day GROUP BY member_code, day
        )
        SELECT counted.member_code, counted.day, nth AS visit, visits, visit_span / nullif(visits - 1, 0) AS usual,
               basket, sum({LOG_SIZE}) OVER (PARTITION BY counted.member_code) AS sizes
        FROM counted
        JOIN member_day ON member_day.member_code = counted.member_code AND member_day.day = counted.day
        JOIN member_total ON member_total.member_code = counted.member_code
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
    # gap, visit_gap: since the item's purchase day before, in days and in visits; recent: 1 = the item's latest.
    visit = Relation(
        f"{level.own}_visit",
        f"""
        SELECT bought.member_code, bought.{code}, bought.day, bought.quantity, visit, visits, usual, basket, sizes,
               bought.day - lag(bought.day) OVER one AS gap, visit - lag(visit) OVER one AS visit_gap,
               row_number() OVER (PARTITION BY bought.member_code, bought.{code} ORDER BY bought.day DESC) AS recent
        FROM member_{name}_day AS bought
        JOIN candidate_{name} AS candidate
            ON candidate.member_code = bought.member_code AND candidate.{code} = bought.{code}
        JOIN {name}_basket AS held ON held.member_code = bought.member_code AND held.day = bought.day
        WINDOW one AS (PARTITION BY bought.member_code, bought.{code} ORDER BY bought.day)
        """,
    )
    # One row a pair: the item's place among the member's items and among those offered, and how due it is.
    standing = Relation(
        f"{level.own}_standing",
        f"""
        WITH ranked AS (
            SELECT member_code, {code}, days, last_day,
                   rank() OVER (PARTITION BY member_code ORDER BY days DESC) AS frequency_rank,
                   rank() OVER (PARTITION BY member_code ORDER BY last_day DESC) AS recency_rank
            FROM member_{name}_life
        ),
        seen AS (
            SELECT member_code, {code}, max(visits) - max(visit) AS ago,
                   sum({kept(95, "visits - visit")}) AS kept, sum({kept(95, "visits - visit", "basket")}) AS part
            FROM {level.own}_visit GROUP BY member_code, {code}
        ),
        rhythm AS (
            SELECT {code}, sum(last_day - first_day) / nullif(sum(days - 1), 0) AS gap
            FROM member_{name}_life GROUP BY {code}
        )
        SELECT candidate.member_code, candidate.{code},
               own.days, own.last_day, own.frequency_rank, own.recency_rank, rhythm.gap AS item_gap, visits, hazard,
               {", ".join(f"rank() OVER (one ORDER BY {score} DESC) AS {rank}_rank" for rank, _, score in RANKS)}
        FROM candidate_{name} AS candidate
        JOIN member_total AS totals ON totals.member_code = candidate.member_code
        LEFT JOIN rhythm ON rhythm.{code} = candidate.{code}
        LEFT JOIN ranked AS own
            ON own.member_code = candidate.member_code AND own.{code} = candidate.{code}
        LEFT JOIN seen ON seen.member_code = candidate.member_code AND seen.{code} = candidate.{code}
        LEFT JOIN {name}_hazard AS chance
            ON chance.{code} = candidate.{code} AND seen.ago + 1 BETWEEN chance.first_visit AND chance.last_visit
        WINDOW one AS (PARTITION BY candidate.member_code)
        """,
    )
    return basket, spine, visit, standing


def history(level: Level) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_visit`: how often, and how lately."""
    own = level.own
    return (
        number(f"{own}_purchase_days", "count", NEVER, "days on which the member bought it", "count(day)"),
        *(
            number(
                f"{own}_purchase_days_{w}d",
                "count",
                NEVER,
                f"days on which the member bought it in the last {w} days",
                count(within(w)),
            )
            for w in (7, 14, 30, 60, 90, 180, 365)
        ),
        *(
            number(
                f"{own}_half_life_{days}d",
                "count",
                NEVER,
                f"days on which the member bought it, each weighing 1/2 for every {days} days that passed",
                f"coalesce(sum({half_life(days)}), 0) / {UNITS}",
            )
            for days in HALF_LIVES
        ),
        *(
            number(
                f"{own}_kept_{percent}",
                "count",
                NEVER,
                f"days on which the member bought it, each weighing 0.{percent} for every later visit of the member",
                f"coalesce(sum({kept(percent, 'visits - visit')}), 0) / {UNITS}",
            )
            for percent in KEPT
        ),
        number(
            f"{own}_basket_part",
            "share",
            NEVER,
            "sum over the days with it of 1 / items bought on the day / the member's visits",
            f"coalesce(sum({kept(100, '0', 'basket')}), 0) / {UNITS} / max(visits)",
        ),
        *(
            number(
                f"{own}_part_kept_{percent}",
                "count",
                NEVER,
                f"days with it, each weighing 0.{percent} for every later visit / items bought on the day",
                f"coalesce(sum({kept(percent, 'visits - visit', 'basket')}), 0) / {UNITS}",
            )
            for percent in PARTS_KEPT
        ),
        number(
            f"{own}_basket_size",
            "logarithm",
            _NOT_BOUGHT,
            "mean ln of the items bought on days with it - the same of all the member's visits",
            f"sum({LOG_SIZE}) / count(day) / {UNITS} - max(sizes) / max(visits) / {UNITS}",
        ),
        *(
            number(
                f"{own}_share_of_last_{visits}",
                "share",
                NEVER,
                f"days with it / the member's visits, of the last {visits} visits",
                f"coalesce({count(f'visits - visit < {visits}')} / least(max(visits), {visits}), 0)",
            )
            for visits in LAST_VISITS
        ),
        number(f"{own}_days_since_purchase", "days", _NOT_BOUGHT, "as_of - last purchase day of it", recency()),
        number(
            f"{own}_days_since_first_purchase",
            "days",
            _NOT_BOUGHT,
            "as_of - first purchase day of it",
            f"{AS_OF} - min(day)",
        ),
        number(f"{own}_quantity", "units", NEVER, "units of it the member bought", quantity()),
        number(
            f"{own}_last_quantity_ratio",
            "ratio",
            _NOT_BOUGHT,
            "units on the last purchase day of it / mean units a purchase day of it",
            ratio(f"max({when('recent = 1', 'quantity')}) * count(day)", "sum(quantity)"),
        ),
    )


def rhythm(level: Level) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_visit`: gaps in days and in visits, and how long it is due."""
    own = level.own
    between = ratio("max(visit) - min(visit)", "count(day) - 1")
    return (
        number(f"{own}_mean_gap", "days", _ONE_DAY, "mean days between purchase days of it", mean_gap()),
        number(f"{own}_median_gap", "days", _ONE_DAY, "median of the days between purchase days of it", "median(gap)"),
        number(
            f"{own}_sd_gap",
            "days",
            "the member bought it on fewer than 3 days",
            "sample sd of the days between purchase days of it",
            sd_gap(),
        ),
        number(f"{own}_last_gap", "days", _ONE_DAY, "days between the last two purchase days of it", last_gap()),
        number(
            f"{own}_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase of it / mean gap of it",
            overdue(mean_gap()),
        ),
        number(
            f"{own}_median_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "days since the last purchase of it / median gap of it",
            overdue("median(gap)"),
        ),
        number(
            f"{own}_next_due_ratio",
            "ratio",
            _ONE_DAY,
            "(days since the last purchase of it + the member's mean days between visits) / mean gap of it",
            f"({recency()} + max(usual)) / nullif({mean_gap()}, 0)",
        ),
        number(
            f"{own}_visits_between",
            "count",
            _ONE_DAY,
            "the member's visits from one purchase of it to the next, mean",
            between,
        ),
        number(
            f"{own}_last_visits_between",
            "count",
            _ONE_DAY,
            "the member's visits between the last two purchases of it",
            f"max({when('recent = 1', 'visit_gap')})",
        ),
        number(
            f"{own}_visits_since",
            "count",
            _NOT_BOUGHT,
            "the member's visits after the last one with it",
            "max(visits) - max(visit)",
        ),
        number(
            f"{own}_visits_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "the member's visits after the last one with it / mean visits from one purchase of it to the next",
            f"(max(visits) - max(visit)) / nullif({between}, 0)",
        ),
        number(
            f"{own}_share_since_first",
            "share",
            _NOT_BOUGHT,
            "days with it / the member's visits from the first one with it on",
            "count(day) / (max(visits) - min(visit) + 1)",
        ),
    )


def standing(level: Level) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_standing`."""
    own, item = level.own, level.name
    return (
        number(
            f"{own}_basket_share",
            "share",
            NEVER,
            "days on which the member bought it / the member's purchase days",
            "coalesce(max(days), 0) / max(visits)",
        ),
        number(
            f"{own}_due_ratio",
            "ratio",
            "never bought by the member, or by nobody twice",
            f"days since the last purchase of it / {item}_mean_gap",
            ratio(f"{AS_OF} - max(last_day)", "max(item_gap)"),
        ),
        number(
            f"{own}_frequency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's items bought on more days",
            "max(frequency_rank)",
        ),
        number(
            f"{own}_recency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's items bought more recently",
            "max(recency_rank)",
        ),
        *(
            number(
                f"{own}_{rank}_rank",
                "rank",
                NEVER,
                f"1 + pairs of the member with a higher {own}_{named}",
                f"max({rank}_rank)",
            )
            for rank, named, _ in RANKS
        ),
        number(
            f"{own}_hazard",
            "probability",
            _NOT_BOUGHT,
            "chance, over all members who bought it, to buy it at the visit that comes so many visits after the last",
            "max(hazard)",
        ),
    )


def events(level: Level) -> tuple[Draft, ...]:
    """Draft features over `<level>_event`."""
    own = level.own
    return (
        *(
            number(
                f"{own}_{plural}_30d",
                "count",
                NEVER,
                f"the member's {kind} events on it in the last 30 days",
                count(f"type = '{kind}' AND {within(30)}"),
            )
            for kind, plural in {"view": "views", "cart": "carts", "favourite": "favourites"}.items()
        ),
        number(f"{own}_days_since_event", "days", "no event on it", "as_of - last event day on it", recency()),
    )
