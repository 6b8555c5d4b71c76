"""A snapshot's tables and relations on Spark: what is seen are views, what is stored are parquet files beside them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.core.time import AsOf
from recsys.data.schema import STORED, Table
from recsys.data.snapshot import Snapshot
from recsys.features.expression import Relation
from recsys.features.spark.dialect import checked
from recsys.features.stage import filled

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TYPES = {"VARCHAR": "STRING", "MAP(VARCHAR, VARCHAR)": "MAP<STRING, STRING>"}
"""Spark's names of the schema's types where they are not the same."""


@dataclass(frozen=True)
class SparkStage:
    """The relations of one snapshot on a cluster.

    folder: shared by driver and workers; a folder of parquet files, named after it, for each stored relation.
    staged: all relations so far, in their order.
    """

    spark: "SparkSession"
    as_of: AsOf
    folder: Path
    staged: dict[str, Relation] = field(default_factory=dict)

    def add(self, relations: Iterable[Relation]) -> None:
        """Compute relations, each of which reads visible tables and those before it; those that are there stay."""
        for relation in relations:
            if relation.name in self.staged:
                continue
            frame = self.spark.sql(checked(filled(relation, self.as_of)))
            if relation.stored:
                frame.write.parquet(url(self.path(relation.name)))
                self.show(relation.name, frame)
            else:
                frame.createOrReplaceTempView(relation.name)
            self.staged[relation.name] = relation

    def show(self, name: str, like: "DataFrame | None" = None) -> None:
        """Make the files of a relation known by its name; like: what has its columns, else a file is looked into."""
        reader = self.spark.read if like is None else self.spark.read.schema(like.schema)
        reader.parquet(url(self.path(name))).createOrReplaceTempView(name)

    def path(self, name: str) -> Path:
        """Return the folder of a stored relation."""
        return self.folder / name


def stage_tables(spark: "SparkSession", snapshot: Snapshot) -> None:
    """Create one view for each relation that the snapshot sees; the files must be where workers can read them."""
    for name, table in STORED.items():
        _stored(spark, table, snapshot.files[name]).createOrReplaceTempView(_source(name))
    for name, sql in snapshot.relations(_source).items():
        spark.sql(checked(sql)).createOrReplaceTempView(name)


def url(path: Path) -> str:
    """Name a file or folder as Spark does, whatever file system the cluster uses by default."""
    return f"file://{path}"


def _source(table: str) -> str:
    return f"stored_{table}"


def _stored(spark: "SparkSession", table: Table, file: Path | None) -> "DataFrame":
    if file is not None:
        return spark.read.parquet(url(file))
    schema = ", ".join(f"{column.name} {TYPES.get(column.type, column.type)}" for column in table.stored)
    return spark.createDataFrame([], schema)
