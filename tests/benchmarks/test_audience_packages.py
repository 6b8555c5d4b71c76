"""What it takes to freeze an audience of everybody and to give it away, beside bare writes of the same rows.

RECSYS_BENCH_MEMBERS sets how many members there are; RECSYS_BENCH_HOME a folder in which publications are kept between
runs.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recsys.answers.audience.create import Order, create, parse_wanted
from recsys.answers.audience.export import Part, Wanted, begin_export
from recsys.answers.audience.formats import Format
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import place_of
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.store.audiences import AudienceVersion
from recsys.store.database import database
from tests.audiences import ANNA, EVERYBODY, NOW
from tests.crowd import crowd

SIZES = [int(text) for text in os.environ.get("RECSYS_BENCH_MEMBERS", "100000,1000000").split(",")]
ROUNDS = 3
names = itertools.count()


@pytest.fixture(scope="module", params=SIZES)
def publication(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Publication:
    kept = os.environ.get("RECSYS_BENCH_HOME")
    root = Path(kept) / f"crowd_{request.param}" if kept else tmp_path_factory.mktemp("publications")
    if not (root / "CURRENT").exists():
        write_publication(root, crowd(request.param))
    return Publication.open_current(root)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("home")
    with database(f"sqlite:///{folder / 'recsys.db'}") as engine:
        yield Shelf(engine, folder / "audiences")


@pytest.fixture(scope="module")
def version(shelf: Shelf, publication: Publication) -> AudienceVersion:
    return made(shelf, publication)


def made(shelf: Shelf, publication: Publication) -> AudienceVersion:
    order = Order(name=f"all {next(names)}", wanted=parse_wanted(EVERYBODY), terms={"live_days": 1, "pressure": None})
    return create(shelf, publication, order, who=ANNA, now=NOW)


def file_of(shelf: Shelf, version: AudienceVersion) -> Path:
    return place_of(shelf.root, version.draft.audience_id, version.version) / "members.parquet"


def bare(table: "pa.Table", path: Path, options: str) -> float:
    """Return the seconds that DuckDB takes to write the same rows."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("rows", table)
        started = perf_counter()
        connection.execute(f"COPY rows TO '{path}' ({options})")
        return perf_counter() - started


def test_create(benchmark: BenchmarkFixture, shelf: Shelf, publication: Publication, tmp_path: Path) -> None:
    version = benchmark.pedantic(made, (shelf, publication), rounds=ROUNDS)  # type: ignore[no-untyped-call]
    table = pq.read_table(file_of(shelf, version))
    assert len(table) == len(publication.members)
    started = perf_counter()
    pq.write_table(table, tmp_path / "arrow.parquet", compression="zstd")
    benchmark.extra_info["bare Arrow write, s"] = round(perf_counter() - started, 3)
    seconds = bare(table, tmp_path / "duckdb.parquet", "FORMAT parquet, COMPRESSION zstd")
    benchmark.extra_info["bare DuckDB write, s"] = round(seconds, 3)


@pytest.mark.parametrize("kind", list(Format))
def test_export(
    benchmark: BenchmarkFixture, shelf: Shelf, version: AudienceVersion, kind: Format, tmp_path: Path
) -> None:
    def take() -> int:
        wanted = Wanted(kind, Part.TREATED)
        export = begin_export(shelf, version, wanted, np.empty(0, np.uint64), who=ANNA, now=NOW)
        return sum(map(len, export.chunks))

    size = benchmark.pedantic(take, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    table = pq.read_table(file_of(shelf, version), filters=[("arm", "=", "treated")])
    options = {
        Format.CSV: "FORMAT csv",
        Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
        Format.JSONL: "FORMAT json",
    }
    benchmark.extra_info["bare DuckDB write, s"] = round(bare(table, tmp_path / "bare", options[kind]), 3)
    benchmark.extra_info["bytes"] = size
    benchmark.extra_info["told beforehand"] = version.draft.sizes[kind]["treated"]
