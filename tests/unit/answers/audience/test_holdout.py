from hashlib import blake2b

import numpy as np
import pytest

from recsys.answers.audience.holdout import STRATA, draws, hold_out, strata

N = 20_000


def keys(n: int = N) -> "np.ndarray":
    return np.random.default_rng(0).integers(0, 2**64, n, np.uint64)


def score(n: int = N) -> "np.ndarray":
    return np.random.default_rng(1).beta(2, 8, n)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.123, 0.5])
def test_the_share_is_held_out_of_the_whole_and_of_every_tenth(share: float) -> None:
    held = hold_out(keys(), score(), "a", share)
    assert held.sum() == round(share * N)
    tenths = strata(score())
    for tenth in range(STRATA):
        of_it = tenths == tenth
        assert abs(held[of_it].sum() - share * of_it.sum()) <= 1


@pytest.mark.parametrize("n", [0, 1, 4, 5, 14, 15])
def test_small_audiences_hold_out_what_rounds_to_whole_members(n: int) -> None:
    assert hold_out(keys(n), score(n), "a", 0.1).sum() == np.rint(0.1 * n)


def test_it_depends_on_audience_and_member_alone_not_on_their_order() -> None:
    order = np.random.default_rng(2).permutation(N)
    held = hold_out(keys(), score(), "a", 0.1)
    assert (hold_out(keys()[order], score()[order], "a", 0.1) == held[order]).all()
    other = hold_out(keys(), score(), "b", 0.1)
    assert 0.005 < (held & other).mean() < 0.015


def test_most_stay_held_out_when_the_audience_is_made_again_of_other_members() -> None:
    held = hold_out(keys(), score(), "a", 0.1)
    later = slice(N // 20, N)
    again = hold_out(keys()[later], score()[later] * 0.9, "a", 0.1)
    assert (held[later] & again).sum() > 0.9 * again.sum()


def test_arms_are_alike_in_score() -> None:
    held = hold_out(keys(), score(), "a", 0.1)
    assert abs(score()[held].mean() - score()[~held].mean()) < 0.002


def test_members_without_a_score_are_a_stratum_and_equal_scores_are_one() -> None:
    scores = np.array([0.5] * 40 + [np.nan] * 20 + [0.1] * 40)
    assert len(set(strata(scores)[:40])) == len(set(strata(scores)[60:])) == 1
    assert (strata(scores)[40:60] == STRATA).all()
    assert (strata(np.full(3, np.nan)) == STRATA).all()
    held = hold_out(keys(100), scores, "a", 0.1)
    assert [held[:40].sum(), held[40:60].sum(), held[60:].sum()] == [4, 2, 4]


def test_strata_run_from_the_highest_scores_down() -> None:
    assert strata(np.arange(100.0)[::-1]).tolist() == [n // 10 for n in range(100)]


def test_draws_are_as_they_ever_were() -> None:
    """What was held out must stay held out: another hash would deal every audience anew."""
    seed = int.from_bytes(blake2b(b"a1b2c3", digest_size=8).digest(), "big")
    told = [0, 1, 2**63, 2**64 - 1]
    slow = []
    for key in told:
        x = key ^ seed
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        slow.append(x ^ x >> 31)
    assert draws(np.array(told, np.uint64), "a1b2c3").tolist() == slow
    assert slow[0] == 11476752253948730810
