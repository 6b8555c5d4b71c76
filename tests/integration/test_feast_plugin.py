"""Feast's contract of an online store, held by comparing the packed stores with Feast's own SQLite store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from redis import Redis

from tests.redis_server import RedisServer

pytestmark = pytest.mark.filterwarnings("ignore")  # Feast's own, from its import on

DAY = datetime(2025, 3, 1, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "double": pa.array([1.5, None, -0.0], pa.float64()),
    "single": pa.array([0.1, 2.0, None], pa.float32()),
    "long": pa.array([2**62, None, -1], pa.int64()),
    "short": pa.array([7, -7, None], pa.int32()),
    "flag": pa.array([True, None, False], pa.bool_()),
    "text": pa.array(["上海", "", None], pa.string()),
    "blob": pa.array([b"\0\xff", None, b""], pa.binary()),
}
OTHER: dict[str, Any] = {
    "when": pa.array([DAY, None, DAY], pa.timestamp("us", "UTC")),
    "basket": pa.array([["milk"], ["bread", "tea"], None], pa.list_(pa.string())),
    "counts": pa.array([[1, 2], [3], None], pa.list_(pa.int64())),
}
KEYS: dict[str, Any] = {"shop": pa.array(["北", "北", "南"]), "till": pa.array([1, 2, 1], pa.int64())}


class Stores:
    """Two feature stores with the same definitions over the same file: packed, and Feast's own."""

    def __init__(self, root: Path, columns: dict[str, Any], packed: dict[str, str]) -> None:
        from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
        from feast.repo_config import RepoConfig
        from feast.type_map import pa_to_feast_value_type
        from feast.types import from_value_type

        self.root = root
        self.columns = columns
        self.write(DAY)
        entities = [
            Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING),
            Entity(name="till", join_keys=["till"], value_type=ValueType.INT64),
        ]
        view = FeatureView(
            name="tills",
            entities=entities,
            schema=[
                Field(name=name, dtype=from_value_type(pa_to_feast_value_type(str(column.type))))
                for name, column in columns.items()
            ],
            source=FileSource(path=str(root / "tills.parquet"), timestamp_field="at", created_timestamp_column="made"),
        )
        online = {
            "packed": packed,
            "sqlite": {"type": "sqlite", "path": str(root / "online.db")},
        }
        engine: dict[str, Any] = {"packed": {"type": "features.packed_engine.PackedEngine"}, "sqlite": "local"}
        self.stores = {
            name: FeatureStore(
                config=RepoConfig(
                    project="tills",
                    provider="local",
                    registry=str(root / f"{name}.registry"),
                    offline_store={"type": "duckdb"},
                    online_store=config,
                    batch_engine=engine[name],
                    entity_key_serialization_version=3,
                )
            )
            for name, config in online.items()
        }
        for feast in self.stores.values():
            feast.apply([*entities, view])
        self.refs = [f"tills:{name}" for name in columns]

    def write(self, day: datetime, *, rows: int = 3) -> None:
        times = pa.array([day] * 3, pa.timestamp("us", "UTC"))
        table = pa.table({**KEYS, **self.columns, "at": times, "made": times}).slice(0, rows)
        pq.write_table(table, self.root / "tills.parquet")

    def materialize(self) -> None:
        for feast in self.stores.values():
            feast.materialize(DAY - timedelta(days=30), DAY + timedelta(days=30))

    def read(self, name: str, *, timestamps: bool = True, full: bool = False) -> dict[str, list[object]]:
        rows = [
            {"shop": "南", "till": 1},
            {"shop": "无", "till": 9},
            {"shop": "北", "till": 2},
            {"shop": "北", "till": 1},
        ]
        response = self.stores[name].get_online_features(self.refs, [*rows, rows[0]], full_feature_names=full)
        answer: dict[str, list[object]] = response.to_dict(include_event_timestamps=timestamps)
        return answer

    def assert_alike(self) -> None:
        assert self.read("packed") == self.read("sqlite")
        assert self.read("packed", full=True) == self.read("sqlite", full=True)


@pytest.fixture(params=["folder", "redis"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The part `online_store` of feature_store.yaml, for rows in a folder and for rows in a Redis."""
    if request.param == "folder":
        return {"type": "features.packed_store.PackedOnlineStore", "path": str(tmp_path / "online")}
    server: RedisServer = request.getfixturevalue("redis")
    with Redis.from_url(server.url) as client:
        client.flushall()
    return {"type": "features.packed_redis.PackedRedisOnlineStore", "url": server.url}


@pytest.fixture(params=["plain", "every"])
def stores(request: pytest.FixtureRequest, packed: dict[str, str], tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path, PLAIN if request.param == "plain" else {**PLAIN, **OTHER}, packed)
    yield made
    for feast in made.stores.values():
        feast.teardown()  # type: ignore[no-untyped-call]


def test_before_anything_is_written_nothing_is_found(stores: Stores) -> None:
    stores.assert_alike()
    assert set(stores.read("packed", timestamps=False)["text"]) == {None}


def test_materialised_values_of_every_type_are_alike(stores: Stores) -> None:
    stores.materialize()
    stores.assert_alike()
    assert stores.read("packed")["long"] == [-1, None, None, 2**62, -1]
    stores.write(DAY + timedelta(days=1))
    stores.materialize()
    stores.assert_alike()


def test_pushed_rows_are_alike(stores: Stores) -> None:
    stores.materialize()
    pushed = pd.read_parquet(stores.root / "tills.parquet", dtype_backend="pyarrow").head(1)
    pushed = pushed.assign(at=DAY + timedelta(days=2), made=DAY + timedelta(days=2), text="new")
    for feast in stores.stores.values():
        feast.write_to_online_store("tills", pushed)
    stores.assert_alike()
    assert stores.read("packed")["text"][3] == "new"


def test_a_view_that_is_gone_leaves_no_rows(stores: Stores, packed: dict[str, str]) -> None:
    from recsys.core.errors import MissingError
    from recsys.store.online import row_reader

    reader = row_reader(packed["url"] if "url" in packed else Path(packed["path"]), seconds=5)
    stores.materialize()
    assert reader.count("tills") == 3
    feast = stores.stores["packed"]
    feast.apply([], objects_to_delete=[feast.get_feature_view("tills")], partial=False)
    with pytest.raises(MissingError):
        reader.read("tills", [("北", "1")])


def test_the_home_must_be_absolute() -> None:
    from features.packed_store import PackedOnlineStoreConfig
    from features.settings import checked_home
    from recsys.core.errors import ConfigError

    for path in ("", ".recsys", "${RECSYS_HOME}/online"):
        with pytest.raises(ConfigError, match="RECSYS_HOME"):
            checked_home(Path(path))
        with pytest.raises((ConfigError, ValidationError)):
            PackedOnlineStoreConfig(path=path)


def test_a_redis_must_be_named() -> None:
    from features.packed_redis import PackedRedisOnlineStoreConfig

    with pytest.raises(ValidationError, match="RECSYS_ONLINE_URL"):
        PackedRedisOnlineStoreConfig(url="${RECSYS_ONLINE_URL}")
