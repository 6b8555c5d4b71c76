from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from recsys.core.task import View
from recsys.data.snapshot import Snapshot
from recsys.features import relations
from recsys.features.candidates import CandidateConfig
from recsys.features.level import LEVELS
from recsys.features.spark.pairs import draw_on_workers, learn_on_driver
from recsys.features.spark.staging import SparkStage, stage_tables
from recsys.features.spark.views import write_view

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERYBODY = (*relations.BASES, *relations.FACTS, *relations.SHOP, *relations.MEMBERS)


def write_views_on_spark(
    spark: "SparkSession", snapshot: Snapshot, folder: Path, config: CandidateConfig
) -> dict[View, int]:
    """Write a snapshot's files as `recsys.features.build.write_views` does, on a cluster; returns the rows a view.

    folder: stands where driver and workers share files, as the tables do; relations lie beside it in the meantime.
    """
    with TemporaryDirectory(prefix=".spark-", dir=folder.parent) as scratch:
        stage = SparkStage(spark, snapshot.as_of, Path(scratch))
        stage_tables(spark, snapshot)
        stage.add(EVERYBODY)
        drawing = learn_on_driver(stage, snapshot, config, folder)
        for level in LEVELS:
            draw_on_workers(stage, snapshot, config, drawing, level)
            stage.add(relations.PAIRS[level])
        return {view: write_view(stage, view, folder / f"{view}.parquet") for view in View}
