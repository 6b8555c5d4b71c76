from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln

from recsys.core.frames import Rows, TrainingSet
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.peer import Learned, Rule, columns, feature
from recsys.evaluation.peers.waits import SHARES, WITHIN, fit_waits, waits

AGE = "own_category_days_since_purchase"
FIRST = "own_category_days_since_first_purchase"
COUNT = "own_category_purchase_days"
OWN_GAP = "own_category_mean_gap"
CATEGORY_GAP = "category_median_gap"
REPEAT_SHARE = "category_repeat_share"
WINDOW = 90
RECENT = f"own_category_purchase_days_{WINDOW}d"
BUY_IT_AGAIN = "Bhagat, Muralidharan, Lobzhanidze, Vishwanath, Buy It Again, KDD 2018"
PRIOR = 3.0  # gaps that a category's median weighs against a member's own
FEW = 50  # pairs below which a category takes the parameters of all
CAP = 365.0

Gap = Callable[[pd.DataFrame, float], Floats]
"""Values and the usual gap of all -> (n,) days expected between two purchases."""

Exposure = Callable[[pd.DataFrame], tuple[Floats, Floats]]
"""Values -> (n,) purchases counted and (n,) days in which they were."""


def _category(values: pd.DataFrame, usual: float) -> Floats:
    return feature(values, CATEGORY_GAP, unknown=usual)


def _own(values: pd.DataFrame, usual: float) -> Floats:
    own = feature(values, OWN_GAP)
    return np.where(np.isnan(own), _category(values, usual), own)


def _shrunk(values: pd.DataFrame, usual: float) -> Floats:
    gaps = np.maximum(feature(values, COUNT) - 1, 0)
    return (gaps * _own(values, usual) + PRIOR * _category(values, usual)) / (gaps + PRIOR)


def _raw(values: pd.DataFrame, gap: Floats) -> Floats:
    """(n,) larger = sooner: a pair is expected to wait its usual gap, or, once overdue, as long as it has waited."""
    return -np.maximum(gap, feature(values, AGE))


def _gap_rule(name: str, source: str, gap: Gap) -> Rule:
    def learn(training: TrainingSet) -> Learned:
        values = columns(training, (AGE, COUNT, OWN_GAP, CATEGORY_GAP))
        known = feature(values, CATEGORY_GAP)
        usual = float(np.nanmedian(known)) if not np.isnan(known).all() else 28.0
        return {"usual": usual, **fit_waits(_raw(values, gap(values, usual)), training.y)}

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        return waits(dict(learned), _raw(rows.values, gap(rows.values, learned["usual"])))

    return Rule(name, source, learn, apply)


def fit_gamma(bought: Floats, time: Floats) -> tuple[float, float]:
    """Maximum likelihood of a gamma(shape, rate) over buyers' rates.

    bought: (n,) purchases seen in (n,) `time`, Poisson given the rate; so negative binomial over buyers.
    """

    def loss(logs: Floats) -> float:
        shape, rate = np.exp(logs)
        terms = gammaln(shape + bought) - gammaln(shape) + shape * np.log(rate) - (shape + bought) * np.log(rate + time)
        return float(-terms.mean())

    mean = max(float(bought.sum()), 0.5) / max(float(time.sum()), 1.0)
    found = minimize(loss, np.log([1.0, 1 / mean]), method="L-BFGS-B", bounds=[(-6, 6), (-4, 12)])
    shape, rate = np.exp(found.x)
    return float(shape), float(rate)


def _priors(rows: Rows, exposure: Exposure) -> Learned:
    """Learn a gamma for each category from a cutoff's pairs, and one for all."""
    bought, time = exposure(rows.values)
    categories: dict[str, tuple[float, float]] = {}
    for name, places in rows.keys.groupby("category").indices.items():
        if len(places) >= FEW:
            categories[str(name)] = fit_gamma(bought[places], time[places])
    return {"every": fit_gamma(bought, time), "categories": categories}


def _posterior(rows: Rows, learned: Learned, exposure: Exposure) -> tuple[Floats, Floats]:
    """(n,) shape and rate of what is believed of each pair's purchases a day after having seen its own."""
    bought, time = exposure(rows.values)
    prior = np.array([learned["categories"].get(name, learned["every"]) for name in rows.keys["category"]])
    return prior[:, 0] + bought, prior[:, 1] + time


def _gamma_rule(name: str, source: str, exposure: Exposure) -> Rule:
    """Make the rule that averages the chance of a purchase over the posterior of the pair's rate.

    Given k purchases in time t, the rate is gamma(shape + k, rate + t) and nothing is bought in h days with
    chance ((rate + t) / (rate + t + h)) ** (shape + k); the days are those on which quantiles of the same curve fall.
    """

    def learn(training: TrainingSet) -> Learned:
        return _priors(training.examples[-1].rows, exposure)

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        shape, rate = _posterior(rows, learned, exposure)
        p7, p14, p28 = (-np.expm1(-shape * np.log1p(span / rate)) for span in WITHIN)
        days = (np.minimum(rate * np.expm1(-np.log1p(-share) / shape), CAP) for share in SHARES)
        return [p14, p7, p14, p28, *(np.floor(day) for day in days)]

    return Rule(name, source, learn, apply)


def _since_first(values: pd.DataFrame) -> tuple[Floats, Floats]:
    """(n,) purchase days after the first one, and (n,) days since that."""
    return np.maximum(feature(values, COUNT) - 1, 0), feature(values, FIRST)


def _recent(values: pd.DataFrame) -> tuple[Floats, Floats]:
    """(n,) purchase days of the last WINDOW days, the very first one left out, and (n,) days they were counted in."""
    first = feature(values, FIRST)
    counted = feature(values, RECENT) - (first <= WINDOW)
    return np.maximum(counted, 0), np.minimum(first, WINDOW)


def modified_time(span: Floats, age: Floats, gap: Floats) -> Floats:
    """(n,) days that a pair's purchases are divided by, shortest when as long has passed as usually does.

    span: days from the first purchase to the last one; age: days since that; gap: mean days between two, NaN = none.
    Up to twice the gap it is span + 2 |gap - age|, beyond it span + age, the time since the first purchase: the two
    agree at the edge. Source: Bhagat et al., KDD 2018, the modified Poisson-Gamma model.
    """
    return np.where(age < 2 * gap, span + 2 * np.abs(gap - age), span + age)


def _modified_rate(rows: Rows, learned: Learned) -> Floats:
    """(n,) Q lambda of the paper: the category's share of buyers who repeat, times (k + alpha) / (time + beta)."""
    age, first = feature(rows.values, AGE), feature(rows.values, FIRST)
    time = modified_time(first - age, age, feature(rows.values, OWN_GAP))

    def modified(values: pd.DataFrame) -> tuple[Floats, Floats]:
        return _since_first(values)[0], time

    shape, rate = _posterior(rows, learned, modified)
    return feature(rows.values, REPEAT_SHARE, unknown=1.0) * shape / rate


def _modified_learn(training: TrainingSet) -> Learned:
    priors = _priors(training.examples[-1].rows, _since_first)
    raw = np.concatenate([_modified_rate(example.rows, priors) for example in training.examples])
    return {**priors, **fit_waits(raw, training.y)}


def _modified_apply(rows: Rows, learned: Learned) -> list[Floats]:
    return waits(dict(learned), _modified_rate(rows, learned))


RULES = (
    _gap_rule("member_mean_gap", "folklore: the member's own rhythm, the category's for those who bought once", _own),
    _gap_rule("category_median_gap", "folklore: everybody buys in the category's rhythm", _category),
    _gap_rule(
        "shrunk_gap",
        "Efron, Morris, Journal of the American Statistical Association 70, 1975: the member's gap shrunk to the "
        "category's median as if that were three gaps of the member's own",
        _shrunk,
    ),
    _gamma_rule("poisson_gamma", BUY_IT_AGAIN, _since_first),
    _gamma_rule("poisson_gamma_90d", f"{BUY_IT_AGAIN}; purchases of the last 90 days alone", _recent),
    Rule(
        "modified_poisson_gamma",
        f"{BUY_IT_AGAIN}: the rate rises until the usual gap has passed and falls after it",
        _modified_learn,
        _modified_apply,
    ),
)
