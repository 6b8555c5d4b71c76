"""A training set's rows, joined on member and day, beside the limit: DuckDB alone scanning the same snapshots."""

from pathlib import Path

import duckdb
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from recsys.core.task import FeatureSpec, Task, View
from recsys.data.engine import quoted
from recsys.features.build import SnapshotFolder, build_snapshot, read_rows
from recsys.features.candidates import CandidateConfig
from recsys.features.catalog import features_of
from tests.shop import make_shop

ROWS = 1_000_000
MEMBERS = 1500
TASK = Task("churn", 56, ("member_id",), (View.MEMBER,), "true", ("score",), "auc")
EVERY = features_of(View.MEMBER)
FEATURES = pytest.mark.parametrize("features", [EVERY[:40], EVERY], ids=len)


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[SnapshotFolder]:
    """Two days whose members are copied until they are half a million a day."""
    root: Path = tmp_path_factory.mktemp("shop")
    tables = make_shop(root, members=MEMBERS, days=200)
    days = (tables.end, tables.end.plus(days=-28))
    folders = [build_snapshot(tables.at(day), root / "snapshots", candidates=CandidateConfig(kept=1)) for day in days]
    for folder in folders:
        small = folder.path(View.MEMBER).rename(root / "member.parquet")
        times = -(-ROWS // (2 * folder.manifest["rows"]["member"]))
        copied = (
            f"SELECT * REPLACE (member_id || '-' || n AS member_id) FROM {quoted(str(small))}, range({times}) AS t(n)"
        )
        with duckdb.connect() as connection:
            target = quoted(str(folder.path(View.MEMBER)))
            connection.execute(f"COPY ({copied} ORDER BY member_id) TO {target} (ROW_GROUP_SIZE 100000)")
    return folders


@FEATURES
@pytest.mark.benchmark(group="training rows")
def test_limit(benchmark: BenchmarkFixture, snapshots: list[SnapshotFolder], features: tuple[FeatureSpec, ...]) -> None:
    scanned = ", ".join(f"CAST({spec.name} AS FLOAT)" if spec.kind == "number" else spec.name for spec in features)

    def scan() -> int:
        with duckdb.connect() as connection:
            files = (f"SELECT member_id, {scanned} FROM {folder.places[View.MEMBER]}" for folder in snapshots)
            return sum(connection.sql(sql).to_arrow_table().num_rows for sql in files)

    assert benchmark.pedantic(scan, rounds=5, warmup_rounds=1) >= ROWS  # type: ignore[no-untyped-call]


@FEATURES
@pytest.mark.benchmark(group="training rows")
def test_rows(benchmark: BenchmarkFixture, snapshots: list[SnapshotFolder], features: tuple[FeatureSpec, ...]) -> None:
    wanted = frozenset(spec.name for spec in features)

    def read() -> int:
        return sum(len(read_rows(folder, TASK, wanted=wanted)) for folder in snapshots)

    assert benchmark.pedantic(read, rounds=5, warmup_rounds=1) >= ROWS  # type: ignore[no-untyped-call]
