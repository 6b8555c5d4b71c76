"""The Poisson-Gamma family against histories gone through day by day, and averages taken over rates by brute force."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.time import AsOf, Window
from recsys.evaluation.peers import PEERS
from recsys.models.repurchase import TASK

AS_OF = AsOf(date(2024, 6, 1))
RULES = {rule.name: rule for rule in PEERS["repurchase"]}
REPEATS = {"c0": 0.9, "c1": 0.5, "c2": 0.25}


@dataclass(frozen=True)
class History:
    category: str
    ago: tuple[int, ...]
    """Days before as_of of each purchase day, the oldest first."""


def draw(count: int, seed: int) -> list[History]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        days = rng.choice(np.arange(1, 300), size=rng.integers(1, 9), replace=False)
        made.append(History(str(rng.choice(list(REPEATS))), tuple(sorted((int(day) for day in days), reverse=True))))
    return [*made, History("c0", (90,)), History("c0", (91, 90, 1)), History("c1", (60, 40, 40 - 20 - 20 + 1))]


def rows(histories: list[History]) -> Rows:
    values = pd.DataFrame(
        {
            "own_category_days_since_purchase": [h.ago[-1] for h in histories],
            "own_category_days_since_first_purchase": [h.ago[0] for h in histories],
            "own_category_purchase_days": [len(h.ago) for h in histories],
            "own_category_purchase_days_90d": [sum(day <= 90 for day in h.ago) for h in histories],
            "own_category_mean_gap": [
                (h.ago[0] - h.ago[-1]) / (len(h.ago) - 1) if len(h.ago) > 1 else np.nan for h in histories
            ],
            "category_repeat_share": [REPEATS[h.category] for h in histories],
        }
    ).astype(float)
    keys = pd.DataFrame(
        {"member_id": [f"m{n}" for n in range(len(histories))], "category": [h.category for h in histories]}
    )
    return Rows(TASK, AS_OF, keys, values, ())


def counted(history: History, window: int) -> tuple[int, int]:
    """Go through the last `window` days one by one, from the day after the first purchase on."""
    bought = days = 0
    for ago in range(window, 0, -1):
        if ago < history.ago[0]:
            bought += ago in history.ago
        days += ago <= history.ago[0]
    return bought, days


def average(shape: float, rate: float, span: float) -> float:
    """Average the chance of a purchase in a span over a fine grid of equally likely purchase rates."""
    shares = (np.arange(20_000) + 0.5) / 20_000
    return float(np.mean(1 - np.exp(-span * gamma.ppf(shares, shape, scale=1 / rate))))


@pytest.mark.parametrize(("name", "window"), [("poisson_gamma", 10_000), ("poisson_gamma_90d", 90)])
def test_chances_and_days_are_averages_over_what_the_rate_may_be(name: str, window: int) -> None:
    histories = draw(40, seed=1)
    learned = {"every": (0.7, 30.0), "categories": {"c1": (2.0, 60.0)}}
    table = pd.DataFrame(dict(zip(TASK.scores, RULES[name].apply(rows(histories), learned), strict=True)))
    for at, history in enumerate(histories):
        bought, days = counted(history, window)
        prior = (2.0, 60.0) if history.category == "c1" else (0.7, 30.0)
        shape, rate = prior[0] + bought, prior[1] + days
        for span in (7, 14, 28):
            assert table[f"p{span}"][at] == pytest.approx(average(shape, rate, span), abs=1e-4)
        for column, share in (("median_days", 0.5), ("low_days", 0.1), ("high_days", 0.9)):
            day = table[column][at]
            if day < 365:
                assert average(shape, rate, day) <= share + 1e-3
                assert average(shape, rate, day + 1) >= share - 1e-3


def test_the_modified_rate_ranks_as_the_paper_s_does() -> None:
    histories = draw(400, seed=2)
    here = rows(histories)
    rng = np.random.default_rng(3)
    y = pd.DataFrame({"days": np.floor(rng.exponential(40, len(here))), "observed": 56.0})
    y["days"] = y["days"].where(y["days"] < 56)
    example = Example(here, Labels(y, Window.after(AS_OF, days=56)))
    rule = RULES["modified_poisson_gamma"]
    learned = rule.learn(TrainingSet((example,)))

    slow = []
    for history in histories:
        alpha, beta = learned["categories"].get(history.category, learned["every"])
        repeats, since, since_first = len(history.ago) - 1, history.ago[-1], history.ago[0]
        gaps = [early - late for early, late in zip(history.ago, history.ago[1:], strict=False)]
        if gaps and since < 2 * sum(gaps) / len(gaps):
            divisor = sum(gaps) + 2 * abs(sum(gaps) / len(gaps) - since) + beta
        else:
            divisor = since_first + beta
        slow.append(REPEATS[history.category] * (repeats + alpha) / divisor)

    score = rule.apply(here, learned)[0]
    assert pd.Series(score).rank().to_numpy() == pytest.approx(pd.Series(slow).round(12).rank().to_numpy(), abs=1)
    assert score.mean() == pytest.approx(float((y["days"] < 14).mean()), abs=1e-3)


def test_the_modified_rate_is_highest_when_the_usual_gap_has_passed() -> None:
    """Three purchases, 20 days between them; the same member on later and later days."""
    ages = (1, 10, 19, 20, 21, 30, 40, 41, 80)
    same = [History("c0", (40 + age, 20 + age, age)) for age in ages]
    rule = RULES["modified_poisson_gamma"]
    y = pd.DataFrame({"days": np.nan, "observed": 56.0}, index=range(len(same)))
    y.loc[:4, "days"] = 5.0
    learned = rule.learn(TrainingSet((Example(rows(same), Labels(y, Window.after(AS_OF, days=56))),)))
    score = rule.apply(rows(same), learned)[0]
    assert ages[int(np.argmax(score))] == 20
    assert (np.diff(score[:4]) > 0).all()
    assert (np.diff(score[3:]) < 0).all()
