"""A model scores on a real Spark cluster as it scores in this process."""

from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal
from pyspark.sql import SparkSession

from recsys.features.build import build_snapshot
from tests.contract.conftest import TEST, Case, Shop
from tests.contract.test_bundle import bundle_of
from training.score import scored
from training.score_files import score_schema
from training.spark_score import score_parts


def test_scores_of_a_cluster_are_those_of_this_process(
    spark: SparkSession, shop: Shop, case: Case, tmp_path: Path
) -> None:
    bundle = bundle_of(case)
    folder = build_snapshot(shop.tables.at(shop.day(TEST)), shop.root / "snapshots")
    parts = list(score_parts(spark, folder, bundle, tmp_path))
    wanted = scored(bundle, case.test.rows)
    assert len(parts) == 2
    assert not set(parts[0]["member_id"]) & set(parts[1]["member_id"])
    assert list(parts[0]) == score_schema(bundle.task).names
    found = pd.concat(parts, ignore_index=True)
    for name in [name for name in found if found[name].map(lambda value: hasattr(value, "tolist")).all()]:
        found[name] = [list(value) for value in found[name]]
    assert_frame_equal(found, wanted[list(found)].reset_index(drop=True), check_dtype=False, rtol=1e-12, atol=1e-15)
