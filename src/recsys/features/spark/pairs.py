"""Candidates on a cluster: the driver learns what looks across members, the workers score members, a span at a time.

Both run the Python code of one machine over the files of staged relations, as a DuckDB database whose tables are
views of these files: there is no second implementation of what is no SQL.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from recsys.data.engine import connect, quoted
from recsys.data.snapshot import Snapshot
from recsys.features import relations
from recsys.features.build import kept_spans, write_learnt
from recsys.features.candidates import CandidateConfig
from recsys.features.level import LEVELS, Level
from recsys.features.prepared import FACTS, NOBODY, PORTIONS, Prepared, Span, learn_candidates
from recsys.features.scoring import Learnt
from recsys.features.spark.staging import SparkStage, url
from recsys.features.stage import Stage, filled

TYPES = {pa.int32(): "INT", pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "STRING"}

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Drawing:
    """What candidates are drawn from.

    spans: of the members whose pairs are kept. learnt: by level. schemas: columns of `candidate_<level>`.
    """

    spans: tuple[Span, ...]
    learnt: dict[Level, Learnt]
    schemas: "dict[Level, pa.Schema]"


def learn_on_driver(stage: SparkStage, snapshot: Snapshot, config: CandidateConfig, folder: Path) -> Drawing:
    """Learn in this process what candidates are drawn from, over files that the workers wrote.

    Writes neighbours and factors into the folder, keeps `<level>_offer` and `<level>_hazard` in the database that
    workers read, and shows hazards to Spark too.
    """
    with connect(stage.folder / FACTS) as connection, threadpool_limits(1, "blas"):
        _lay(connection, stage)
        everybody = Stage(connection.cursor(), stage.as_of)
        names = everybody.execute("SELECT member_id FROM member_base ORDER BY member_code").fetchnumpy()["member_id"]
        learnt = {level: learn_candidates(connection, everybody, level, config) for level in LEVELS}
        everybody.close()
        prepared = Prepared(snapshot, config, np.asarray(names, dtype=object), {}, learnt, connection)
        write_learnt(prepared, folder)
        schemas = {}
        for level in LEVELS:
            target = stage.path(f"{level.name}_hazard")
            target.mkdir()
            connection.execute(f"COPY {level.name}_hazard TO {quoted(str(target / 'part-0.parquet'))} (FORMAT parquet)")
            stage.show(f"{level.name}_hazard")
            with prepared.stage(NOBODY) as nobody:
                schemas[level] = nobody.table(f"SELECT * FROM candidate_{level.name}").schema
        return Drawing(kept_spans(prepared, folder, PORTIONS.pairs), learnt, schemas)


def draw_on_workers(
    stage: SparkStage, snapshot: Snapshot, config: CandidateConfig, drawing: Drawing, level: Level
) -> None:
    """Compute the relation `candidate_<level>`; a task of Spark is a span of members."""
    name, spans = f"candidate_{level.name}", drawing.spans
    learnt = stage.spark.sparkContext.broadcast(drawing.learnt[level])
    schema = drawing.schemas[level]

    def prepared(connection: duckdb.DuckDBPyConnection) -> Prepared:
        return Prepared(snapshot, config, np.empty(0, dtype=object), {}, {level: learnt.value}, connection)

    compute = _drawer(stage.folder / FACTS, name, prepared, spans, schema)
    told = ", ".join(f"{field.name} {TYPES[field.type]}" for field in schema)
    frame = stage.spark.range(0, len(spans), numPartitions=max(len(spans), 1)).mapInArrow(compute, told)
    frame.write.parquet(url(stage.path(name)))
    learnt.destroy()
    stage.show(name, frame)


def _drawer(
    database: Path,
    name: str,
    prepared: Callable[[duckdb.DuckDBPyConnection], Prepared],
    spans: tuple[Span, ...],
    schema: "pa.Schema",
) -> Callable[[Batches], Batches]:
    """Return what a worker does with the numbers of spans."""

    def draw(batches: Batches) -> Batches:
        with duckdb.connect(str(database), read_only=True) as connection, threadpool_limits(1, "blas"):
            connection.execute("SET threads = 1")
            here = prepared(connection)
            for batch in batches:
                for number in batch.column("id").to_numpy().astype(int):
                    with here.stage(spans[number]) as span:
                        yield from span.table(f"SELECT * FROM {name}").cast(schema).to_batches()

    return draw


def _lay(connection: duckdb.DuckDBPyConnection, stage: SparkStage) -> None:
    """Create a view for each staged relation that is stored, and for those that look across members."""
    across = {relation.name for relation in relations.SHOP}
    for name, relation in stage.staged.items():
        if relation.stored:
            files = quoted(str(stage.path(name) / "*.parquet"))
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files})")
        elif name in across:
            connection.execute(f"CREATE VIEW {name} AS {filled(relation, stage.as_of)}")
