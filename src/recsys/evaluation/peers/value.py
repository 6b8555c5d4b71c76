from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import TweedieRegressor

from recsys.core.frames import Rows, TrainingSet
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.bgnbd import BgNbd, Histories, fit_bgnbd
from recsys.evaluation.peers.gamma_gamma import GammaGamma, fit_gamma_gamma
from recsys.evaluation.peers.peer import Learned, Rule, columns, feature

SINCE = "days_since_first_purchase"
RECENCY = "days_since_purchase"
COUNT = "purchase_days"
MONEY = "money"
WORTH = "money_per_purchase_day"
LATELY = 90
NEW = 28.0  # days: who is known for less counts as known for so long
RFM = (RECENCY, "purchase_days_90d", "money_90d", "purchase_days_365d", "money_365d", WORTH)

Pace = Callable[[pd.DataFrame], Floats]
"""Values -> (n, 2) purchase days and money a day."""


def _ever(values: pd.DataFrame) -> Floats:
    days = np.maximum(feature(values, SINCE, unknown=NEW), NEW)
    return np.column_stack([feature(values, name, unknown=0.0) for name in (COUNT, MONEY)]) / days[:, None]


def _lately(values: pd.DataFrame) -> Floats:
    days = np.clip(feature(values, SINCE, unknown=NEW), NEW, LATELY)
    sums = [feature(values, f"{name}_{LATELY}d", unknown=0.0) for name in (COUNT, MONEY)]
    return np.column_stack(sums) / days[:, None]


def _kept(training: TrainingSet) -> float:
    """Share of all money that is margin."""
    money = float(training.y["money"].sum())
    return float(training.y["margin"].sum()) / money if money else 0.0


def _told(money: Floats, purchases: Floats, learned: Learned) -> list[Floats]:
    """Order the columns as the task's scores are; the margin is everybody's share of the money."""
    return [money, purchases, money * float(learned["kept"])]


def _pace_rule(name: str, source: str, pace: Pace) -> Rule:
    def learn(training: TrainingSet) -> Learned:
        return {"kept": _kept(training)}

    def apply(rows: Rows, learned: Learned) -> list[Floats]:
        purchases, money = (pace(rows.values) * rows.task.horizon).T
        return _told(money, purchases, learned)

    return Rule(name, source, learn, apply)


def _mean_learn(training: TrainingSet) -> Learned:
    y = training.y
    return {"kept": _kept(training), "money": float(y["money"].mean()), "purchases": float(y["purchases"].mean())}


def _mean(rows: Rows, learned: Learned) -> list[Floats]:
    return _told(np.full(len(rows), learned["money"]), np.full(len(rows), learned["purchases"]), learned)


def _gamma_learn(training: TrainingSet) -> Learned:
    values = training.examples[-1].rows.values
    lately = float(feature(values, RECENCY).max()) + 1
    buys = fit_bgnbd(_histories(values), lately=lately)
    pays = fit_gamma_gamma(feature(values, COUNT), feature(values, WORTH, unknown=0.0))
    return {"kept": _kept(training), "buys": vars(buys), "pays": vars(pays)}


def _gamma(rows: Rows, learned: Learned) -> list[Floats]:
    purchases = BgNbd(**learned["buys"]).purchases(_histories(rows.values), float(rows.task.horizon))
    worth = GammaGamma(**learned["pays"]).worth(feature(rows.values, COUNT), feature(rows.values, WORTH, unknown=0.0))
    return _told(purchases * worth, purchases, learned)


def _histories(values: pd.DataFrame) -> Histories:
    """Purchase days as purchases, in days; members of the value task have bought at least once."""
    total = feature(values, SINCE)
    return Histories(feature(values, COUNT) - 1, total - feature(values, RECENCY), total)


def _linear_learn(training: TrainingSet) -> Learned:
    design = _design(columns(training, RFM))
    centre, scale = design.mean(axis=0), np.maximum(design.std(axis=0), 1e-9)
    learned: dict[str, object] = {"kept": _kept(training), "centre": centre.tolist(), "scale": scale.tolist()}
    for label, power in (("money", 1.5), ("purchases", 1.0)):
        y = training.y[label].to_numpy(np.float64)
        fitted = TweedieRegressor(power=power, alpha=1e-3, link="log", solver="newton-cholesky")
        fitted.fit((design - centre) / scale, y / y.mean())
        learned[label] = [float(np.log(y.mean()) + fitted.intercept_), *fitted.coef_.tolist()]
    return learned


def _linear(rows: Rows, learned: Learned) -> list[Floats]:
    design = (_design(rows.values) - np.asarray(learned["centre"])) / np.asarray(learned["scale"])
    money, purchases = (
        np.exp(learned[label][0] + design @ np.asarray(learned[label][1:])) for label in ("money", "purchases")
    )
    return _told(money, purchases, learned)


def _design(values: pd.DataFrame) -> Floats:
    return np.column_stack([np.log1p(np.maximum(feature(values, name, unknown=0.0), 0.0)) for name in RFM])


RULES = (
    Rule("everybodys_mean", "folklore: every member is worth the same", _mean_learn, _mean),
    _pace_rule("own_mean", "folklore: a member's mean spending a day goes on", _ever),
    _pace_rule("own_mean_90d", "folklore: the next quarter will be as the last one was", _lately),
    Rule(
        "bg_nbd_gamma_gamma",
        "Fader, Hardie, Lee, Marketing Science 24 and Journal of Marketing Research 42, 2005",
        _gamma_learn,
        _gamma,
    ),
    Rule("rfm_tweedie", "Joergensen, Exponential Dispersion Models, JRSS B 49, 1987", _linear_learn, _linear),
)
