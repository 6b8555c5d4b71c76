from dataclasses import replace

from recsys.core.frames import Example, TrainingSet
from recsys.core.task import View
from recsys.features.catalog import CATALOG as FEATURES
from recsys.models import new_product
from recsys.models.boosted import BoosterConfig
from recsys.models.new_product import (
    ATTRIBUTES,
    MEMBERS,
    NewProductConfig,
    NewProductModel,
    NewProductTrainer,
    known_before_launch,
)
from tests.unit.models.made import make_binary, spec

TASK = new_product.TASK
CONFIG = NewProductConfig(booster=BoosterConfig(rounds=20, leaves=5, min_leaf=20, threads=1))
NAMES = {"strong": "affinity_brand_share", "weak": "own_product_purchase_days", "noise": "price_level_distance"}


def renamed(example: Example) -> Example:
    """The same rows with `strong` and `noise` as affinities and `weak` as the pair's own history."""
    specs = (*(spec(name, TASK) for name in NAMES.values()), spec("kind", TASK, kind="category"))
    rows = replace(example.rows, values=example.rows.values.rename(columns=NAMES), specs=specs)
    return Example(rows, example.labels)


def training() -> TrainingSet:
    return TrainingSet(tuple(renamed(example) for example in make_binary(TASK, 2000, cutoffs=2).examples))


def fit(config: NewProductConfig = CONFIG) -> NewProductModel:
    return NewProductTrainer(config).fit(training())


def test_what_a_product_sold_has_no_part_in_its_score() -> None:
    model, (example, _) = fit(), training().examples
    sold = example.rows.values.assign(own_product_purchase_days=1e6, kind="new")
    before, after = (model.score(rows).table for rows in (example.rows, replace(example.rows, values=sold)))
    assert before.equals(after)
    liked = example.rows.values.assign(affinity_brand_share=3.0)
    assert model.score(replace(example.rows, values=liked)).table["score"].mean() > before["score"].mean() + 0.2


def test_no_feature_of_a_products_own_sales_is_used_and_every_attribute_exists() -> None:
    known = known_before_launch(FEATURES)
    assert {feature.name for feature in known if feature.view is View.MEMBER} == set(MEMBERS)
    kept = {feature.name for feature in known if feature.view is not View.MEMBER}
    assert not {name for name in kept if name.startswith(("own_product", "product_buyers", "product_purchase", "is_"))}
    assert {"affinity_category_share", "affinity_brand_share", "price_level_distance", *ATTRIBUTES} <= kept
