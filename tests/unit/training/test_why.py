from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from recsys.answers.churn_reasons import churn_why
from recsys.artifacts.publication_content import CHURN_REASONS, ChurnReason
from recsys.core.frames import Rows
from recsys.core.task import FeatureSpec, View
from recsys.core.time import AsOf
from recsys.features.catalog import features_of
from recsys.models.churn import TASK
from training import why
from training.why import FAMILIES, explained

NAMES = ("days_since_purchase", "overdue_ratio", "money_90d", "purchase_days_trend_30d", "return_rate", "made_up")


@dataclass(frozen=True)
class Plain:
    """A model whose contributions are the values themselves."""

    def contributions(self, rows: Rows) -> "np.ndarray":
        return rows.values.to_numpy(dtype=np.float64)


def rows_of(values: list[list[float]]) -> Rows:
    specs = tuple(FeatureSpec(name, View.MEMBER, "number", "-", "-", name, "-", name) for name in NAMES)
    keys = pd.DataFrame({"member_id": [f"m{n}" for n in range(len(values))]})
    return Rows(TASK, AsOf.parse("2025-03-31"), keys, pd.DataFrame(values, columns=list(NAMES), dtype=float), specs)


def test_families_add_up_and_the_largest_that_move_the_score_its_way_are_told() -> None:
    told = explained(Plain(), rows_of([[0.3, 0.3, 0.5, -2.0, 0.1, 1.2], [0.3, 0.3, -3.0, -1.0, 0.0, -1.0]]))
    assert told["why"].tolist() == [["other", "recency", "spend"], ["spend", "trend", "other"]]
    assert told["why_share"][0] == pytest.approx([1.2 / 2.4, 0.6 / 2.4, 0.5 / 2.4])
    assert told["why_share"][1] == pytest.approx([3 / 5, 1 / 5, 1 / 5])


def test_what_moves_nothing_is_no_reason() -> None:
    told = explained(Plain(), rows_of([[0.0] * 6, [0.0, 0.0, 0.0, 0.0, 0.7, 0.0]]))
    assert told["why"].tolist() == [[], ["returns"]]
    assert told["why_share"].tolist() == [[], [1.0]]
    assert explained(Plain(), rows_of([])).shape == (0, 2)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(np.random.default_rng(0).normal(size=(50, 6)).tolist())
    whole = explained(Plain(), rows)
    monkeypatch.setattr(why, "ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(explained(Plain(), rows), whole)
    turned = replace(rows, values=rows.values[::-1].reset_index(drop=True))
    assert explained(Plain(), turned)["why"].tolist() == whole["why"].tolist()[::-1]
    assert whole["why"].map(len).max() <= CHURN_REASONS


def test_families_are_of_features_that_exist_each_in_one_and_words_name_no_others() -> None:
    known = [spec.name for spec in features_of(View.MEMBER)]
    named = [name for names in FAMILIES.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= set(known)
    assert set(FAMILIES) == set(ChurnReason) - {ChurnReason.OTHER}
    for reason in ChurnReason:
        assert set(churn_why(reason, 1.0, {}).params) <= set(known)
