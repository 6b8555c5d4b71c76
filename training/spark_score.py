"""Scores on Spark: a task's rows are joined by the cluster and scored where they stand, by the model of any engine."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.artifacts.bundle import ModelBundle, load_bundle, save_bundle
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.features.assembly import STAMPS
from recsys.features.build import SnapshotFolder
from recsys.features.joined import rows_of, told_columns
from recsys.features.spark.dialect import checked
from recsys.features.spark.staging import url
from training.score import looked_at, scored
from training.score_files import score_schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROWS_A_PART = 200_000
"""Rows that a worker scores at once, about."""

TYPES = {pa.string(): "STRING", pa.float64(): "DOUBLE", pa.float32(): "FLOAT"}

Batches = Iterator[pa.RecordBatch]


def score_parts(
    spark: "SparkSession", snapshot: SnapshotFolder, bundle: ModelBundle, scratch: Path
) -> Iterator[pd.DataFrame]:
    """Score every row of a bundle's task on the cluster; yields score tables of whole members, in order of their keys.

    The bundle goes to the workers as an archive, through Spark's own file server; what they scored comes back as files.
    scratch: a folder that they share with the driver, as they do the snapshot.
    """
    name = f"recsys-{bundle.task.name}-{uuid.uuid4().hex}"
    save_bundle(bundle, scratch / name)
    archive = Path(shutil.make_archive(str(scratch / name), "zip", scratch / name))
    spark.sparkContext.addArchive(f"{archive.as_uri()}#{name}")
    few = snapshot.manifest["rows"][bundle.task.views[0]] // ROWS_A_PART
    parts = max(spark.sparkContext.defaultParallelism, few)
    schema = score_schema(bundle.task)
    rows = task_rows(spark, snapshot, bundle.task, looked_at(bundle)).repartitionByRange(parts, "member_id")
    ordered = rows.sortWithinPartitions(*bundle.task.keys)
    told = ordered.mapInArrow(_scorer(name, snapshot.as_of, schema), _spark_schema(schema))
    target = scratch / f"{name}.parquet"
    told.write.parquet(url(target))
    for file in sorted(target.glob("part-*.parquet")):
        table = pq.read_table(file)
        if len(table):
            yield table.to_pandas()


def task_rows(spark: "SparkSession", snapshot: SnapshotFolder, task: Task, wanted: frozenset[str]) -> "DataFrame":
    """Join a task's rows as `recsys.features.joined` does: keys and wanted features, numbers in single precision."""

    def read(view: View) -> "DataFrame":
        return spark.read.parquet(url(snapshot.path(view))).drop(*STAMPS)

    first, *others = task.views
    frame = read(first).where(checked(task.where))
    for view in others:
        frame = frame.join(read(view), list(view.keys), "left")
    return frame.selectExpr(*told_columns(task, wanted))


def _scorer(bundle: str, as_of: AsOf, schema: "pa.Schema") -> Callable[[Batches], Batches]:
    """Return what a worker does with a part of the rows; bundle: name of the archive that it has unpacked."""

    def score(batches: Batches) -> Batches:
        from pyspark import SparkFiles

        given = list(batches)
        if given:
            loaded = load_bundle(Path(SparkFiles.get(bundle)))
            rows = rows_of(pa.Table.from_batches(given), loaded.task, as_of, looked_at(loaded))
            table = scored(loaded, rows)
            yield from pa.Table.from_pandas(table, schema, preserve_index=False).to_batches()

    return score


def _spark_schema(schema: "pa.Schema") -> str:
    def told(kind: "pa.DataType") -> str:
        return f"ARRAY<{told(kind.value_type)}>" if pa.types.is_list(kind) else TYPES[kind]

    return ", ".join(f"{field.name} {told(field.type)}" for field in schema)
