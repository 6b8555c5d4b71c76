import numpy as np
import pandas as pd
import pytest

from recsys.core.errors import MissingError
from recsys.models import churn
from recsys.models.encoding import Encoder
from tests.unit.models.made import spec

SPECS = (spec("days", churn.TASK), spec("tier", churn.TASK, kind="category"))


def frame(days: list[float], tier: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"days": np.array(days), "tier": pd.Series(tier, dtype=object)})


def test_a_value_is_its_place_in_the_vocabulary_commonest_first() -> None:
    parts = [frame([1, 2, 3], ["gold", "金", "金"]), frame([4], ["blue"])]
    encoder = Encoder.learn(SPECS, parts, min_rows=1)
    assert encoder.vocabularies == {"tier": ("金", "blue", "gold")}
    np.testing.assert_array_equal(encoder.encode(parts), np.array([[1, 2], [2, 0], [3, 0], [4, 1]], dtype=np.float32))


def test_unknown_unseen_rare_and_infinite_values_are_unknown() -> None:
    encoder = Encoder.learn(SPECS, [frame([1, 2, 3], ["a", "a", "rare"])], min_rows=2)
    matrix = encoder.encode([frame([np.nan, np.inf, -np.inf, 1], [None, "new", "rare", "a"])])
    assert np.isnan(matrix[:3]).all()
    assert matrix[3].tolist() == [1, 0]


def test_only_the_commonest_values_are_kept() -> None:
    values: list[str | None] = ["a", "b", "b", "c", "c", "c"]
    assert Encoder.learn(SPECS, [frame([0.0] * 6, values)], min_rows=1, max_values=2).vocabularies["tier"] == ("c", "b")


def test_columns_are_found_by_name_whatever_their_order() -> None:
    known = frame([1, 2], ["a", "b"])
    encoder = Encoder.learn(SPECS, [known], min_rows=1)
    np.testing.assert_array_equal(encoder.encode([known[["tier", "days"]]]), encoder.encode([known]))


def test_a_missing_feature_is_named() -> None:
    encoder = Encoder.learn(SPECS, [frame([1], ["a"])])
    with pytest.raises(MissingError, match="feature tier"):
        encoder.encode([pd.DataFrame({"days": [1.0]})])


def test_it_survives_plain_data() -> None:
    encoder = Encoder.learn(SPECS, [frame([1], ["金"])], min_rows=1)
    assert Encoder.from_data(encoder.to_data()) == encoder
