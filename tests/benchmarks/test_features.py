"""One snapshot's features beside the limit: DuckDB alone scanning, joining and grouping the same orders."""

import shutil
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recsys.data.tables import Tables
from recsys.features.build import build_snapshot
from tests.shop import make_shop

LIMIT = """
    SELECT member_id, category, day, sum(quantity), sum(amount), sum(discount)
    FROM orders LEFT JOIN products USING (product_id)
    GROUP BY ALL
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return make_shop(tmp_path_factory.mktemp("shop"), members=1500, days=365)


@pytest.mark.benchmark(group="features of one day")
def test_limit(benchmark: BenchmarkFixture, tables: Tables) -> None:
    def group() -> int:
        with tables.at(tables.end).connect() as connection:
            connection.execute(f"CREATE TEMP TABLE grouped AS {LIMIT}")
            return int(connection.execute("SELECT count(*) FROM grouped").fetchall()[0][0])

    assert benchmark.pedantic(group, rounds=5, warmup_rounds=1) > 0  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="features of one day")
def test_snapshot(benchmark: BenchmarkFixture, tables: Tables, tmp_path: Path) -> None:
    def build() -> int:
        shutil.rmtree(tmp_path / "snapshots", ignore_errors=True)
        return int(build_snapshot(tables.at(tables.end), tmp_path / "snapshots").manifest["rows"]["member"])

    assert benchmark.pedantic(build, rounds=3, warmup_rounds=1) > 0  # type: ignore[no-untyped-call]
