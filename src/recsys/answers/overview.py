"""How the shop stands: a publication in a few numbers, week by week, and beside the publications before it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson

from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Publication, known
from recsys.artifacts.publication_content import Tag

WEEKS = 26
KEPT = 60
"""So many publications are looked back on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One publication in a few numbers."""

    __pydantic_config__ = DESCRIBED
    publication: str
    """The publication."""
    as_of: str
    """What happened from this day on was not known."""
    members: int
    """Members that are answered from a history."""
    opted_out: int
    """Members who refused personalisation; not counted among the others."""
    active: int
    """Members active lately enough to be scored for leaving."""
    at_risk: int
    """Members of high risk to leave: at least three times the odds of the average."""
    expected_to_leave: float
    """Sum of the probabilities to leave: so many of the active ones, as expected."""
    money_at_stake: float
    """Money that members of high risk are expected to pay within the value model's horizon."""
    money_expected: float
    """Money that all members are expected to pay within it."""
    money_days: int
    """Days of that horizon; 0 = no value model was published."""
    due_this_week: int
    """Members who buy again in some category within 7 days with a probability of a half or more."""
    purchases_this_week: float
    """Sum of the probabilities, over members and categories, to buy again within 7 days."""


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days of purchases."""

    __pydantic_config__ = DESCRIBED
    first_day: str
    """Its first day."""
    members: int
    """Members who bought."""
    money: float
    """Money paid."""
    purchases: int
    """Purchases: days x members x products."""


@dataclass(frozen=True, slots=True)
class Overview:
    """How the shop stands."""

    __pydantic_config__ = DESCRIBED
    now: Standing
    """The publication that is answered from."""
    before: tuple[Standing, ...]
    """Earlier publications, the oldest first, one for each day that they speak of."""
    weeks: tuple[Week, ...]
    """The weeks up to as_of, the oldest first; none from before the first purchase known."""
    model_versions: dict[str, str]
    """Version of each model, by task."""
    published_at: str
    """When the publication was written, in UTC."""


def standing(publication: Publication) -> Standing:
    """Sum a publication up; tens of milliseconds for a million members."""
    churn = publication.churn
    scored = np.isfinite(churn)
    money = np.nan_to_num(publication.value["score"])
    high = _tagged(publication, Tag.HIGH_CHURN_RISK)
    pairs = publication.repurchase
    lasting = ~(pairs.columns["need_ends_day"] <= publication.as_of.number)
    return Standing(
        publication=publication.name,
        as_of=str(publication.as_of),
        members=len(publication.members),
        opted_out=len(publication.opted_out),
        active=int(scored.sum()),
        at_risk=int(high.sum()),
        expected_to_leave=_sum(churn[scored]),
        money_at_stake=_sum(money[high]),
        money_expected=_sum(money),
        money_days=publication.horizons.get("value", 0),
        due_this_week=int(_tagged(publication, Tag.DUE_THIS_WEEK).sum()),
        purchases_this_week=_sum(pairs.columns["p7"][lasting]),
    )


def weeks(publication: Publication, n: int = WEEKS) -> tuple[Week, ...]:
    """Count the purchases of the last n weeks before as_of, the oldest first."""
    purchases = publication.facts.purchases
    found: list[Week] = []
    for back in range(n, 0, -1):
        low, high = purchases.span(7 * back).start, purchases.span(7 * (back - 1)).start if back > 1 else None
        span = slice(low, high)
        member = purchases.member[span]
        if not (len(member) or found):
            continue
        bought = np.zeros(len(publication.members), dtype=bool)
        bought[member] = True
        money = _sum(purchases.columns["amount"][span])
        found.append(Week(str(publication.as_of.plus(days=-7 * back)), int(bought.sum()), money, len(member)))
    return tuple(found)


def overview(publication: Publication, before: Iterable[Standing], published_at: str) -> Overview:
    """Put the overview together. before: earlier publications, in the order they were published."""
    now = standing(publication)
    by_day = {one.as_of: one for one in before if one.publication != now.publication and one.as_of < now.as_of}
    earlier = tuple(by_day[day] for day in sorted(by_day))
    return Overview(now, earlier[-KEPT:], weeks(publication), publication.model_versions, published_at)


def remember(path: Path, one: Standing) -> None:
    """Add a publication to the file of those there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(orjson.dumps(asdict(one)) + b"\n")


def remembered(path: Path) -> tuple[Standing, ...]:
    """Read the publications there were, the oldest first; lines of another version are left out."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    return tuple(one for one in map(_read, lines) if one is not None)


def _tagged(publication: Publication, tag: Tag) -> "np.ndarray":
    """(members,) who has a tag."""
    return (publication.tag_bits >> list(Tag).index(tag) & 1).astype(bool)


def _read(line: bytes) -> Standing | None:
    try:
        return Standing(**orjson.loads(line))
    except (ValueError, TypeError):
        return None


def _sum(column: "np.ndarray") -> float:
    return known(float(column.sum(dtype=np.float64))) or 0.0
