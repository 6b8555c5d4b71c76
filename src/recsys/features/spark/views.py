"""Feature tables on Spark: every source grouped by the view's keys, and laid side by side by joins."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.core.task import FeatureSpec, View
from recsys.features.assembly import CODES, INSTANT, ROWS_AT_ONCE, STAMPS, ViewWriter, told_sql, view_schema
from recsys.features.catalog import features_of
from recsys.features.expression import NEVER
from recsys.features.spark.dialect import checked
from recsys.features.spark.staging import SparkStage, url


def write_view(stage: SparkStage, view: View, target: Path) -> int:
    """Write a feature table of the same columns, order and stamps as `recsys.features.assembly` makes.

    The workers compute and sort it, and write a file a part; the driver lays these end to end. Returns the number of
    rows.
    """
    folder = stage.path(f"view_{view}")
    stage.spark.sql(checked(_view_sql(view).format(as_of=stage.as_of.number))).write.parquet(url(folder))
    schema, stamp = view_schema(view), pa.scalar(stage.as_of.instant, INSTANT)
    with ViewWriter(target, view) as writer:
        for table in read_parts(folder):
            stamps = dict.fromkeys(STAMPS, pa.repeat(stamp, len(table)))
            columns = {name: table.column(name) for name in table.column_names} | stamps
            writer.add(pa.table([columns[name] for name in schema.names], schema=schema))
    return writer.rows


def read_parts(folder: Path) -> "Iterator[pa.Table]":
    """Read the files that Spark wrote into a folder, in the order of its partitions, so many rows at a time."""
    for file in sorted(folder.glob("part-*.parquet")):
        with pq.ParquetFile(file) as part:
            for batch in part.iter_batches(ROWS_AT_ONCE):
                yield pa.Table.from_batches([batch])


def _view_sql(view: View) -> str:
    """Return SQL of a view's keys and features, ordered by the keys; `{as_of}` is still open."""
    codes = tuple(CODES[key] for key in view.keys)
    by_source = groupby(sorted(features_of(view), key=lambda spec: spec.source), key=lambda spec: spec.source)
    columns = [*(f"spine.{key}" for key in view.keys), *(_column(spec) for spec in features_of(view))]
    joins = "".join(
        f"\nLEFT JOIN ({told_sql(source, tuple(specs), codes)}) AS of_{source} ON "
        + " AND ".join(f"of_{source}.{code} = spine.{code}" for code in codes)
        for source, specs in by_source
    )
    return f"SELECT {', '.join(columns)}\nFROM {view}_spine AS spine{joins}\nORDER BY {', '.join(view.keys)}"


def _column(spec: FeatureSpec) -> str:
    """Return SQL of a feature in a view; what is never null is 0 where its source tells nothing."""
    value = f"of_{spec.source}.{spec.name}"
    if spec.kind == "category":
        return f"CAST({value} AS STRING) AS {spec.name}"
    number = f"CAST({value} AS DOUBLE)"
    return f"{f'coalesce({number}, 0)' if spec.null_meaning == NEVER else number} AS {spec.name}"
