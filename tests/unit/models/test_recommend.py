from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.core.frames import Example, Labels, Rows, TrainingSet
from recsys.core.task import Task
from recsys.core.time import Window
from recsys.features.catalog import features_of
from recsys.models import recommend
from recsys.models.boosted import BoosterConfig
from recsys.models.recommend import RecommendConfig, RecommendTrainer
from tests.unit.models.made import make_rows, spec, truth

TASK = recommend.TASK
RECENCY = "own_product_days_since_purchase"
PLACE = "own_product_tifu_rank"
SMALL = BoosterConfig(rounds=10, leaves=3, min_leaf=50, threads=1)
CONFIG = RecommendConfig(booster=SMALL, novelty_booster=SMALL, max_rows=500, linear_rows=500, novelty_rows=500)


def with_feature(rows: Rows, name: str, values: "np.ndarray | list[float]") -> Rows:
    """The rows with one more number."""
    return replace(rows, values=rows.values.assign(**{name: values}), specs=(*rows.specs, spec(name, rows.task)))


def without(training: TrainingSet, name: str) -> TrainingSet:
    """The same cutoffs, not knowing a feature."""
    return TrainingSet(
        tuple(
            replace(
                example,
                rows=replace(
                    example.rows,
                    values=example.rows.values.drop(columns=name),
                    specs=tuple(spec for spec in example.rows.specs if spec.name != name),
                ),
            )
            for example in training.examples
        )
    )


def placed(training: TrainingSet) -> TrainingSet:
    """The same cutoffs, each member's rows numbered as they stand."""
    return TrainingSet(
        tuple(
            replace(example, rows=with_feature(example.rows, PLACE, 1.0 + np.arange(len(example.rows)) % 8))
            for example in training.examples
        )
    )


def make_lists(members: int, *, items: int = 8, cutoffs: int = 2, seed: int = 0, task: Task = TASK) -> TrainingSet:
    """Members with some candidates each, the first half of them bought before; `soon` follows -strong, `y` strong."""
    rng = np.random.default_rng(seed)
    examples = []
    for cutoff in range(cutoffs):
        rows = make_rows(task, members * items, seed=seed + cutoff, cutoff=cutoff)
        keys = pd.DataFrame(
            {
                "member_id": np.repeat([f"m{at:05d}" for at in range(members)], items),
                task.keys[1]: np.tile([f"i{at}" for at in range(items)], members),
            }
        )
        place = np.tile(np.arange(items), members)
        rows = with_feature(replace(rows, keys=keys), RECENCY, np.where(place < items / 2, 5.0 + place, np.nan))
        flipped = replace(rows, values=rows.values.assign(strong=-rows.values["strong"]))
        y, soon = ((rng.random(len(rows)) < truth(side)).astype(int) for side in (rows, flipped))
        examples.append(
            Example(rows, Labels(pd.DataFrame({"y": y, "soon": soon}), Window.after(rows.as_of, days=task.horizon)))
        )
    return TrainingSet(tuple(examples))


def test_of_equal_candidates_the_one_bought_last_stands_first_by_next_to_nothing() -> None:
    model = RecommendTrainer(CONFIG).fit(without(make_lists(150), RECENCY))
    rows = make_rows(TASK, 4, seed=1)
    same = replace(rows, values=rows.values.iloc[[0, 0, 0, 0]].reset_index(drop=True))
    score = model.score(with_feature(same, RECENCY, [300.0, np.nan, 2.0, 40.0])).table["score"]
    assert score.sort_values(ascending=False).index.tolist() == [2, 3, 0, 1]
    assert np.ptp(score) < 1e-8


def test_drawing_negatives_leaves_probabilities_as_they_are() -> None:
    few = CONFIG.model_copy(update={"booster": BoosterConfig(rounds=60, leaves=7, threads=1), "max_rows": 4500})
    later = make_lists(500, cutoffs=1, seed=40).examples[0]
    score = RecommendTrainer(few).fit(make_lists(750)).score(later.rows).table["score"]
    assert abs(score.mean() - later.labels.y["y"].mean()) < 0.03


def test_discovery_follows_first_purchases_and_is_nothing_for_what_was_bought() -> None:
    rows = {"novelty_rows": 5000, "linear_rows": 5000, "max_rows": 5000}
    config = CONFIG.model_copy(update={**rows, "foremost": 4})  # what is new stands below: it teaches all the same
    (later,) = placed(make_lists(500, cutoffs=1, seed=40)).examples
    table = RecommendTrainer(config).fit(placed(make_lists(750))).score(later.rows).table
    new, strong = later.rows.values[RECENCY].isna(), later.rows.values["strong"]
    assert (table["discovery"][~new] == 0).all()
    assert (
        np.corrcoef(table["discovery"][new], strong[new])[0, 1] < -0.5 < 0.5 < np.corrcoef(table["score"], strong)[0, 1]
    )
    assert abs(table["discovery"][new].mean() - later.labels.y["soon"][new].mean()) < 0.03


def test_where_everything_was_bought_before_it_still_fits() -> None:
    training = make_lists(150)
    every = tuple(
        replace(example, rows=replace(example.rows, values=example.rows.values.assign(**{RECENCY: 3.0})))
        for example in training.examples
    )
    table = RecommendTrainer(CONFIG).fit(TrainingSet(every)).score(every[0].rows).table
    assert (table["discovery"] == 0).all()


def test_where_nothing_was_bought_every_row_teaches() -> None:
    training = make_lists(150)
    none = tuple(
        replace(example, labels=replace(example.labels, y=example.labels.y * 0)) for example in training.examples
    )
    table = RecommendTrainer(CONFIG).fit(TrainingSet(none)).score(none[0].rows).table
    assert (table[["score", "discovery"]] < 0.05).all(axis=None)


def test_what_lies_far_down_the_list_teaches_nothing() -> None:
    def numbered(strong_below: float) -> TrainingSet:
        examples = []
        for example in placed(make_lists(200)).examples:
            values = example.rows.values
            values = values.assign(strong=values["strong"].where(values[PLACE] <= 4, strong_below))
            examples.append(replace(example, rows=replace(example.rows, values=values)))
        return TrainingSet(tuple(examples))

    config = CONFIG.model_copy(update={"foremost": 4})
    a, b = (RecommendTrainer(config).fit(numbered(value)).basket.blend for value in (-3.0, 3.0))
    rows = numbered(0.0).examples[0].rows
    np.testing.assert_array_equal(a.predict(rows), b.predict(rows))


@pytest.mark.parametrize("task", [recommend.TASK, recommend.SUBCATEGORY_TASK], ids=lambda task: task.name)
def test_the_features_that_it_knows_by_name_are_in_the_catalogue(task: Task) -> None:
    names = {feature.name for feature in features_of(task.views[0])}
    item = task.keys[1].removesuffix("_id")
    assert {f"own_{item}_days_since_purchase", f"own_{item}_tifu_rank"} <= names
