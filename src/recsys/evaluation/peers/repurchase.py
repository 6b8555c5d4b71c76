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
PRIOR = 3.0  # gaps that a category's median weighs against a member's own
FEW = 50  # pairs below which a category takes the parameters of all
CAP = 365.0

Gap = Callable[[pd.DataFrame, float], Floats]
"""Values and the usual gap of all -> (n,) days expected between two purchases."""


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


def _gamma_learn(training: TrainingSet) -> Learned:
    """Learn a gamma for each category from the latest cutoff's pairs, and one for all."""
    latest = training.examples[-1].rows
    bought, time = _exposure(latest.values)
    categories: dict[str, tuple[float, float]] = {}
    for name, places in latest.keys.groupby("category").indices.items():
        if len(places) >= FEW:
            categories[str(name)] = fit_gamma(bought[places], time[places])
    return {"every": fit_gamma(bought, time), "categories": categories}


def _gamma(rows: Rows, learned: Learned) -> list[Floats]:
    """Chance of at least one purchase ahead, the pair's rate averaged over its posterior; quantiles of the same curve.

    Given k purchases in time t, the rate is gamma(shape + k, rate + t) and nothing is bought in h days with
    chance ((rate + t) / (rate + t + h)) ** (shape + k).
    """
    bought, time = _exposure(rows.values)
    prior = np.array([learned["categories"].get(name, learned["every"]) for name in rows.keys["category"]])
    shape, rate = prior[:, 0] + bought, prior[:, 1] + time
    p7, p14, p28 = (-np.expm1(-shape * np.log1p(span / rate)) for span in WITHIN)
    median, low, high = (np.minimum(rate * np.expm1(-np.log1p(-share) / shape), CAP) for share in SHARES)
    return [p14, p7, p14, p28, median, np.floor(low), np.floor(high)]


def _exposure(values: pd.DataFrame) -> tuple[Floats, Floats]:
    """(n,) purchase days after the first one, and (n,) days since that."""
    return np.maximum(feature(values, COUNT) - 1, 0), feature(values, FIRST)


RULES = (
    _gap_rule("member_mean_gap", "folklore: the member's own rhythm, the category's for those who bought once", _own),
    _gap_rule("category_median_gap", "folklore: everybody buys in the category's rhythm", _category),
    _gap_rule(
        "shrunk_gap",
        "Efron, Morris, Journal of the American Statistical Association 70, 1975: the member's gap shrunk to the "
        "category's median as if that were three gaps of the member's own",
        _shrunk,
    ),
    Rule(
        "poisson_gamma", "Bhagat, Muralidharan, Lobzhanidze, Vishwanath, Buy It Again, KDD 2018", _gamma_learn, _gamma
    ),
)
