"""Features of a member and an item that the member may be offered: own history and rhythm, at one level."""

from recsys.features.expression import (
    AS_OF,
    NEVER,
    Draft,
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
from recsys.features.pair_relation import RANKS
from recsys.features.weight import HALF_LIVES, KEPT, PARTS_KEPT, UNITS

LAST_VISITS = (1, 3, 5, 10, 20)
"""Latest purchase days of the member that the item's share is taken of."""

_NOT_BOUGHT = "the member never bought it"
_ONE_DAY = "the member bought it on fewer than 2 days"


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
                f"coalesce(sum(half_life_{days}), 0) / {UNITS}",
            )
            for days in HALF_LIVES
        ),
        *(
            number(
                f"{own}_kept_{percent}",
                "count",
                NEVER,
                f"days on which the member bought it, each weighing 0.{percent} for every later visit of the member",
                f"coalesce(sum(kept_{percent}), 0) / {UNITS}",
            )
            for percent in KEPT
        ),
        number(
            f"{own}_basket_part",
            "share",
            NEVER,
            "sum over the days with it of 1 / items bought on the day / the member's visits",
            f"coalesce(sum(part), 0) / {UNITS} / max(visits)",
        ),
        *(
            number(
                f"{own}_part_kept_{percent}",
                "count",
                NEVER,
                f"days with it, each weighing 0.{percent} for every later visit / items bought on the day",
                f"coalesce(sum(part_{percent}), 0) / {UNITS}",
            )
            for percent in PARTS_KEPT
        ),
        number(
            f"{own}_basket_size",
            "logarithm",
            _NOT_BOUGHT,
            "mean ln of the items bought on days with it - the same of all the member's visits",
            f"sum(log_size) / count(day) / {UNITS} - max(sizes) / max(visits) / {UNITS}",
        ),
        *(
            number(
                f"{own}_share_of_last_{visits}",
                "share",
                NEVER,
                f"days with it / the member's visits, of the last {visits} visits",
                f"coalesce({count(f'ago < {visits}')} / least(max(visits), {visits}), 0)",
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
            "min(ago)",
        ),
        number(
            f"{own}_visits_overdue_ratio",
            "ratio",
            _ONE_DAY,
            "the member's visits after the last one with it / mean visits from one purchase of it to the next",
            ratio("min(ago)", between),
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
            "coalesce(days, 0) / visits",
        ),
        number(
            f"{own}_due_ratio",
            "ratio",
            "never bought by the member, or by nobody twice",
            f"days since the last purchase of it / {item}_mean_gap",
            ratio(f"{AS_OF} - last_day", "item_gap"),
        ),
        number(
            f"{own}_frequency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's items bought on more days",
            "frequency_rank",
        ),
        number(
            f"{own}_recency_rank",
            "rank",
            _NOT_BOUGHT,
            "1 + the member's items bought more recently",
            "recency_rank",
        ),
    )


def ranks(level: Level) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_rank`."""
    own = level.own
    return tuple(
        number(f"{own}_{name}_rank", "rank", NEVER, f"1 + pairs of the member with a higher {own}_{of}", f"{name}_rank")
        for name, of, _ in RANKS
    )


def chance(level: Level) -> tuple[Draft, ...]:
    """Draft features over `own_<level>_chance`."""
    return (
        number(
            f"{level.own}_hazard",
            "probability",
            _NOT_BOUGHT,
            "chance, over all members who bought it, to buy it at the visit that comes so many visits after the last",
            "hazard",
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
