from dataclasses import replace

import numpy as np

from recsys.core.task import View
from recsys.features.catalog import features_of
from recsys.models import recommend
from recsys.models.boosted import BoosterConfig
from recsys.models.recommend import RECENCY, RecommendConfig, RecommendTrainer
from tests.unit.models.made import make_binary, make_rows, spec

TASK = recommend.TASK
CONFIG = RecommendConfig(booster=BoosterConfig(rounds=10, leaves=3, min_leaf=50, threads=1), max_rows=500)


def test_of_equal_candidates_the_one_bought_last_stands_first_by_next_to_nothing() -> None:
    model = RecommendTrainer(CONFIG).fit(make_binary(TASK, 1000, cutoffs=2))
    rows = make_rows(TASK, 4, seed=1)
    same = rows.values.iloc[[0, 0, 0, 0]].reset_index(drop=True)
    same[RECENCY] = [300.0, np.nan, 2.0, 40.0]
    equal = replace(rows, values=same, specs=(*rows.specs, spec(RECENCY, TASK)))
    score = model.score(equal).table["score"]
    assert score.sort_values(ascending=False).index.tolist() == [2, 3, 0, 1]
    assert np.ptp(score) < 1e-8


def test_drawing_negatives_leaves_probabilities_as_they_are() -> None:
    training, later = make_binary(TASK, 6000, cutoffs=2), make_binary(TASK, 4000, cutoffs=1, seed=40)
    few = CONFIG.model_copy(update={"max_rows": 4500, "booster": BoosterConfig(rounds=60, leaves=7, threads=1)})
    score = RecommendTrainer(few).fit(training).score(later.examples[0].rows).table["score"]
    assert abs(score.mean() - later.y["y"].mean()) < 0.02


def test_the_feature_that_breaks_ties_is_in_the_catalogue() -> None:
    assert RECENCY in {feature.name for feature in features_of(View.MEMBER_PRODUCT)}
