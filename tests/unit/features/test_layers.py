import numpy as np
import pytest

from recsys.features.layers import in_layers

MEMBERS = 1000


@pytest.mark.parametrize("count", [1, 8, 100, 500, MEMBERS])
def test_each_layer_of_activity_gives_one_member(count: int) -> None:
    activity = np.random.default_rng(0).permutation(MEMBERS)
    drawn = in_layers(activity, count, seed=5)
    assert (np.diff(drawn) > 0).all()
    layers = np.sort(activity[drawn]) * count // MEMBERS
    np.testing.assert_array_equal(layers, np.arange(count))


def test_nobody_is_drawn_of_nobody_or_where_none_are_asked_for() -> None:
    assert not len(in_layers(np.empty(0), 0, seed=1))
    assert not len(in_layers(np.arange(9), 0, seed=1))


def test_equal_members_are_drawn_by_chance_and_by_the_seed_alone() -> None:
    drawn = [in_layers(np.ones(MEMBERS), 200, seed=seed) for seed in range(60)]
    np.testing.assert_array_equal(drawn[3], in_layers(np.ones(MEMBERS), 200, seed=3))
    times = np.bincount(np.concatenate(drawn), minlength=MEMBERS)
    assert times.max() < 30
    assert (times > 0).mean() > 0.99
