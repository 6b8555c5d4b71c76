import math
from dataclasses import replace

import numpy as np
import pytest

from recsys.data.simulator.catalogue import FAMILIES, LEVELS, make_catalogue
from recsys.data.simulator.fashion import FASHION
from recsys.data.simulator.grocery import GROCERY
from recsys.data.simulator.shelf import LEVEL_AWAY, NEW_DAYS, OWN_FAMILY, PERIOD, make_shelf

DAYS = 200
PROFILE = replace(FASHION, products=150)
CATALOGUE = make_catalogue(PROFILE, DAYS, np.random.default_rng(3))
SHELF = make_shelf(PROFILE, CATALOGUE, DAYS)


def weight(product: int, period: int, family: int, level: int) -> float:
    """How readily a product is picked, told one product at a time."""
    begin = period * PERIOD
    there = min(CATALOGUE.delist[product], begin + PERIOD) - max(CATALOGUE.launch[product], begin)
    share = min(max(there / PERIOD, 0), 1)
    if abs(begin - CATALOGUE.launch[product]) < NEW_DAYS:
        share *= PROFILE.novelty
    if CATALOGUE.family[product] == family:
        share *= OWN_FAMILY
    return float(share * CATALOGUE.liking[product] * math.exp(-LEVEL_AWAY * abs(CATALOGUE.level[product] - level)))


@pytest.mark.parametrize(("category", "day", "family", "level"), [(0, 3.0, 0, 0), (5, 120.5, 4, 2), (17, 199.9, 5, 1)])
def test_products_are_drawn_by_popularity_taste_price_and_what_is_there(
    category: int, day: float, family: int, level: int
) -> None:
    count = 60_000
    full = np.full(count, 1)
    drawn = SHELF.draw(np.random.default_rng(1), full * category, full * family, full * level, full * day)
    own = range(int(CATALOGUE.first[category]), int(CATALOGUE.first[category + 1]))
    wanted = np.array([weight(product, int(day // PERIOD), family, level) for product in own])
    found = np.bincount(drawn - own[0], minlength=len(own)) / count
    assert found == pytest.approx(wanted / wanted.sum(), abs=0.01)


def test_every_draw_falls_into_its_category() -> None:
    rng = np.random.default_rng(2)
    count = 20_000
    category = rng.integers(0, len(PROFILE.categories), count)
    product = SHELF.draw(
        rng, category, rng.integers(0, FAMILIES, count), rng.integers(0, LEVELS, count), rng.uniform(0, DAYS, count)
    )
    assert (CATALOGUE.category[product] == category).all()


def test_what_is_picked_is_on_sale_and_a_bargain_where_one_is_looked_for() -> None:
    rng = np.random.default_rng(2)
    count = 20_000
    category = rng.integers(0, len(PROFILE.categories), count)
    family, level = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    time = rng.uniform(0, DAYS, count)
    product, there = SHELF.pick(rng, category, family, level, time, np.zeros(count))
    assert there.mean() > 0.9
    assert CATALOGUE.sold(product[there], time[there]).all()
    bargains, _ = SHELF.pick(rng, category, family, level, time, np.ones(count))
    usual = (CATALOGUE.markdown_at(product, time) > 0).mean()
    assert (CATALOGUE.markdown_at(bargains, time) > 0).mean() > 1.4 * usual


def test_a_catalogue_has_launches_ends_and_popularity_by_rank() -> None:
    catalogue = make_catalogue(GROCERY, 365, np.random.default_rng(0))
    launched = catalogue.launch >= 0
    assert 150 < launched.sum() < 320
    assert (catalogue.launch[launched] < 365 + 28).all()
    assert (catalogue.delist > catalogue.launch).all()
    for first, end in zip(catalogue.first[:-1], catalogue.first[1:], strict=True):
        shares = np.sort(catalogue.liking[first:end])[::-1]
        assert shares.sum() == pytest.approx(1)
        assert shares[1] / shares[0] == pytest.approx((2 / 3) ** GROCERY.zipf)
        best = first + int(np.argmax(catalogue.liking[first:end]))
        always = np.arange(0, 365.0)
        assert catalogue.sold(np.full(365, best), always).all()
    assert len(set(catalogue.names)) > 0.9 * len(catalogue)
