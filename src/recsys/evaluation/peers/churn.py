import numpy as np
import pandas as pd

from recsys.core.frames import Rows, TrainingSet
from recsys.evaluation.judged import Floats
from recsys.evaluation.peers.bgnbd import BgNbd, Histories, fit_bgnbd
from recsys.evaluation.peers.ladder import climb, fit_ladder
from recsys.evaluation.peers.logistic import logistic
from recsys.evaluation.peers.peer import Learned, Rule, columns, feature

RECENCY = "days_since_purchase"
TENURE = "days_since_first_purchase"
FREQUENCY = "purchase_days"
GAP = "mean_gap"
RFM = (RECENCY, TENURE, FREQUENCY, "purchase_days_90d", "money_90d", "money_per_purchase_day")


def _recency_learn(training: TrainingSet) -> Learned:
    return fit_ladder(feature(columns(training, [RECENCY]), RECENCY), training.y["y"].to_numpy(np.float64))


def _recency(rows: Rows, learned: Learned) -> list[Floats]:
    return [climb(dict(learned), feature(rows.values, RECENCY))]


def _over_gap_learn(training: TrainingSet) -> Learned:
    values = columns(training, [RECENCY, GAP])
    gaps = feature(values, GAP)
    usual = float(np.nanmedian(gaps)) if not np.isnan(gaps).all() else 1.0
    raw = _in_gaps(values, usual)
    return {"usual": usual, "ladder": fit_ladder(raw, training.y["y"].to_numpy(np.float64))}


def _over_gap(rows: Rows, learned: Learned) -> list[Floats]:
    return [climb(learned["ladder"], _in_gaps(rows.values, learned["usual"]))]


def _in_gaps(values: pd.DataFrame, usual: float) -> Floats:
    """(n,) days since the last purchase day over the member's mean gap, of at least a day; the usual one if unknown."""
    return feature(values, RECENCY) / np.maximum(feature(values, GAP, unknown=usual), 1.0)


def _bgnbd_learn(training: TrainingSet) -> Learned:
    latest = training.examples[-1].rows
    lately = float(feature(latest.values, RECENCY).max()) + 1
    model = fit_bgnbd(_histories(latest), lately=lately)
    return {"r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b}


def _bgnbd(rows: Rows, learned: Learned) -> list[Floats]:
    model = BgNbd(learned["r"], learned["alpha"], learned["a"], learned["b"])
    return [model.no_purchase(_histories(rows), float(rows.task.horizon))]


def _histories(rows: Rows) -> Histories:
    """Purchase days as purchases, in days; members of the churn task have bought at least once."""
    total = feature(rows.values, TENURE)
    return Histories(feature(rows.values, FREQUENCY) - 1, total - feature(rows.values, RECENCY), total)


RULES = (
    Rule("recency", "folklore: the longer ago, the more likely gone", _recency_learn, _recency),
    Rule(
        "recency_over_gap",
        "Fader, Hardie, Lee, RFM and CLV, Journal of Marketing Research 42, 2005: recency against one's own rhythm",
        _over_gap_learn,
        _over_gap,
    ),
    logistic("rfm_logistic", "Buckinx, Van den Poel, European Journal of Operational Research 164, 2005", RFM),
    Rule("bg_nbd", "Fader, Hardie, Lee, Marketing Science 24, 2005", _bgnbd_learn, _bgnbd),
)
