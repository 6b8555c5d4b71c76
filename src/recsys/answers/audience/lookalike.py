"""Members like those of a list: told apart from the others by a logistic regression over the publication's numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from recsys.answers.audience.pick import Plan, highest
from recsys.answers.audience.rule import EVERYBODY, Score
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.templates import Laid
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError

LEAST_SEEDS = 30
MOST_SEEDS = 100_000
TAUGHT_SEEDS, TAUGHT_OTHERS = 10_000, 20_000
"""So many members of the list, and of the others, drawn by chance, are learned from."""
HELD_OUT = 0.25
"""This share of them is left out of a first fit, which is judged on it."""
RIDGE = 1.0
ROUNDS = 25
BOUND = 4.0
TOLD_TRAITS = 20
NORMAL_95 = 1.959964

PLAN = Plan(Scenario.LOOKALIKE, Laid(EVERYBODY, Score("active")))
"""What `offers` needs to tell what look-alikes are offered."""


@dataclass(frozen=True)
class Trait:
    """A number in which the list differs from the others, all else being equal. weight: of a standard deviation."""

    name: str
    weight: float


@dataclass(frozen=True, eq=False)
class Lookalike:
    """Members by how much they are like a list.

    rows: (n,) member rows, most alike first. score: (n,) in (0, 1), to rank by; it is a probability of nothing.
    seeds: members of the list that are known; unknown: ids that are not, or who opted out.
    auc: probability that a member of the list scores above another member, on members held out of the fit; auc_low,
        auc_high: its 95% interval. tested: so many members of the list were held out.
    traits: what tells the list apart, strongest first.
    """

    rows: "np.ndarray"
    score: "np.ndarray"
    seeds: int
    unknown: int
    auc: float
    auc_low: float
    auc_high: float
    tested: int
    traits: tuple[Trait, ...]


def lookalike(
    publication: Publication, member_ids: Sequence[str], *, size: int, with_seeds: bool = False, seed: int = 0
) -> Lookalike:
    """Rank members by how much they are like those of a list.

    size: so many at most. with_seeds: whether members of the list are ranked too. seed: of what is drawn by chance.
    `RequestError` names `members` or `size`.
    """
    if size < 1:
        raise RequestError("size", "must be 1 or more")
    if len(member_ids) > MOST_SEEDS:
        raise RequestError("members", f"are at most {MOST_SEEDS}")
    distinct = dict.fromkeys(member_ids)
    seeds = np.array(sorted(_rows(publication, distinct)), dtype=np.int64)
    in_list = np.zeros(len(publication.members), dtype=np.bool_)
    in_list[seeds] = True
    others = np.flatnonzero(~in_list)
    if len(seeds) < LEAST_SEEDS or len(others) < LEAST_SEEDS:
        raise RequestError("members", f"must be {LEAST_SEEDS} or more that are known, and leave as many others")
    rng = np.random.default_rng(seed)
    rows, y = _drawn(seeds, others, rng)
    values = np.asarray(publication.member_numbers[rows])
    tested = _held_out(y, rng)
    judged = _fit(values[~tested], y[~tested]).score(values[tested])
    auc, low, high = _auc(judged[y[tested]], judged[~y[tested]])
    model = _fit(values, y)
    score = model.score(publication.member_numbers)
    best = highest(np.arange(len(score)) if with_seeds else others, score, size)
    strongest = np.argsort(-np.abs(model.weights), kind="stable")[:TOLD_TRAITS].tolist()
    return Lookalike(
        rows=best,
        score=1 / (1 + np.exp(-score[best])),
        seeds=len(seeds),
        unknown=len(distinct) - len(seeds),
        auc=auc,
        auc_low=low,
        auc_high=high,
        tested=int(y[tested].sum()),
        traits=tuple(Trait(publication.features[at], float(model.weights[at])) for at in strongest),
    )


def _rows(publication: Publication, member_ids: Iterable[str]) -> Iterable[int]:
    return (row for row in map(publication.members.row, member_ids) if row is not None)


def _drawn(seeds: "np.ndarray", others: "np.ndarray", rng: np.random.Generator) -> tuple["np.ndarray", "np.ndarray"]:
    """Draw the members that are learned from; returns their rows and whether each is of the list."""
    own = rng.choice(seeds, min(len(seeds), TAUGHT_SEEDS), replace=False)
    rest = rng.choice(others, min(len(others), TAUGHT_OTHERS), replace=False)
    return np.concatenate([own, rest]), np.arange(len(own) + len(rest)) < len(own)


def _held_out(y: "np.ndarray", rng: np.random.Generator) -> "np.ndarray":
    """(n,) a share of each side, drawn by chance."""
    out = np.zeros(len(y), dtype=np.bool_)
    for side in (y, ~y):
        rows = np.flatnonzero(side)
        out[rng.choice(rows, max(1, round(HELD_OUT * len(rows))), replace=False)] = True
    return out


@dataclass(frozen=True, eq=False)
class _Model:
    """sign(x) log(1 + |x|), standardised, cut to +-`BOUND`, 0 when unknown; and whether it is unknown.

    centre, scale, weights, unknown: (f,) of the numbers and of not knowing them; bias: of the constant.
    """

    centre: "np.ndarray"
    scale: "np.ndarray"
    weights: "np.ndarray"
    unknown: "np.ndarray"
    bias: float

    def score(self, values: "np.ndarray") -> "np.ndarray":
        """(n,) log-odds; one number of all members at a time, as it is stored."""
        total = np.full(len(values), self.bias)
        for place in range(values.shape[1]):
            known, filled = _number(values[:, place], self.centre[place], self.scale[place])
            total += filled * self.weights[place]
            total += ~known * self.unknown[place]
        return total


def _number(column: "np.ndarray", centre: float, scale: float) -> tuple["np.ndarray", "np.ndarray"]:
    known = np.isfinite(column)
    squeezed = np.where(known, column, 0.0)
    squeezed = (np.sign(squeezed) * np.log1p(np.abs(squeezed)) - centre) / scale
    return known, np.where(known, np.clip(squeezed, -BOUND, BOUND), 0.0)


def _fit(values: "np.ndarray", y: "np.ndarray") -> _Model:
    """Fit by log-loss with a ridge, both sides of equal weight, with Newton's method."""
    known = np.isfinite(values)
    squeezed = np.where(known, np.sign(values) * np.log1p(np.abs(values)), 0.0)
    number = np.maximum(known.sum(axis=0), 1)
    centre = squeezed.sum(axis=0) / number
    spread = np.sqrt((np.where(known, squeezed - centre, 0.0) ** 2).sum(axis=0) / number)
    scale = np.where(spread > 1e-9, spread, np.inf)
    filled = np.where(known, np.clip((squeezed - centre) / scale, -BOUND, BOUND), 0.0)
    design = np.hstack([filled, ~known, np.ones((len(values), 1))])
    weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    theta = _newton(design, y.astype(np.float64), weight)
    features = values.shape[1]
    return _Model(centre, scale, theta[:features], theta[features:-1], float(theta[-1]))


def _newton(design: "np.ndarray", y: "np.ndarray", weight: "np.ndarray") -> "np.ndarray":
    theta = np.zeros(design.shape[1])
    ridge = np.full(len(theta), RIDGE)
    ridge[-1] = 1e-6
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        slope = design.T @ (weight * (chance - y)) + ridge * theta
        bend = weight * chance * (1 - chance)
        step = np.linalg.solve((design * bend[:, None]).T @ design + np.diag(ridge), slope)
        theta -= step
        if np.abs(step).max() < 1e-6:
            break
    return theta


def _auc(own: "np.ndarray", others: "np.ndarray") -> tuple[float, float, float]:
    """Return the area under the curve and its 95% interval (Hanley and McNeil, 1982)."""
    ordered = np.sort(others)
    below = ordered.searchsorted(own, side="left") + ordered.searchsorted(own, side="right")
    auc = float(below.mean()) / (2 * len(others))
    m, n = len(own), len(others)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = sqrt(max(0.0, auc * (1 - auc) + (m - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / (m * n))
    return auc, max(0.0, auc - NORMAL_95 * spread), min(1.0, auc + NORMAL_95 * spread)
