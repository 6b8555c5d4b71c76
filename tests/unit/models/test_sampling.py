import numpy as np

from recsys.models import new_product, recommend
from recsys.models.sampling import draws, list_weights, thin, thin_negatives
from tests.unit.models.made import make_binary, make_rows, reversed_rows

TASK = recommend.TASK


def test_thinning_keeps_about_as_many_rows_as_asked() -> None:
    training = make_binary(TASK, 2000, cutoffs=2)
    assert 850 < len(thin(training, 1000, seed=1).y) < 1150
    assert thin(training, 4000, seed=1) is training


def test_a_row_is_drawn_by_its_keys_not_its_place() -> None:
    rows = make_rows(TASK, 500, seed=0)
    backwards = reversed_rows(rows)
    np.testing.assert_array_equal(draws(rows, 3), draws(backwards, 3)[::-1])
    assert abs(draws(rows, 3).mean() - 0.5) < 0.05
    assert not np.array_equal(draws(rows, 3), draws(rows, 4))


def test_thinned_negatives_keep_every_positive_and_the_base_rate() -> None:
    training = make_binary(new_product.TASK, 4000, cutoffs=2)
    kept, weights = thin_negatives(training, 5500, seed=1)
    assert kept.y["y"].sum() == training.y["y"].sum()
    assert len(kept.y) < 5700
    weight = np.concatenate(weights)
    assert weight[kept.y["y"] == 1].tolist() == [1.0] * int(kept.y["y"].sum())
    rate = float(np.average(kept.y["y"], weights=weight))
    assert abs(rate - training.y["y"].mean()) < 0.01


def test_negatives_are_never_fewer_than_positives() -> None:
    training = make_binary(new_product.TASK, 1000, cutoffs=1)
    kept, _ = thin_negatives(training, 1, seed=1)
    assert 0.4 < kept.y["y"].mean() < 0.6


def test_a_purchase_weighs_what_it_is_worth_to_recall_and_to_ndcg() -> None:
    (example,) = make_binary(TASK, 5, cutoffs=1).examples
    example.rows.keys["member_id"] = ["a", "a", "a", "b", "c"]
    example.labels.y["y"] = [1, 1, 0, 0, 1]
    discount = 1 / np.log2(3)
    mean = (1 + discount) / 2
    large, small = 1 / 2 + mean / (1 + discount), 1 + mean
    weights = list_weights(example, np.array([1.0, 1, 4, 4, 1]), top=2)
    np.testing.assert_allclose(weights, [large, large, 4 * large, 4 * small, small])


def test_more_purchases_than_places_make_no_better_list_ideal() -> None:
    (example,) = make_binary(TASK, 30, cutoffs=1).examples
    example.rows.keys["member_id"] = "a"
    example.labels.y["y"] = 1
    np.testing.assert_allclose(list_weights(example, np.ones(30), top=2), 1 / 30 + 1 / 2)
