"""Feast over the benchmark's members, as it answers requests and as it materialises."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Door:
    """A feature store and what is asked of it."""

    store: Any
    features: list[str]

    def __call__(self, names: Sequence[str]) -> object:
        """Ask for members as anybody who uses Feast does."""
        return self.store.get_online_features(self.features, [{"member_id": name} for name in names])

    def materialize(self, start: datetime, end: datetime) -> None:
        """Put online what the file holds of the days between."""
        with redirect_stdout(StringIO()):
            self.store.materialize(start, end)


def feast_door(folder: Path, file: Path, online: dict[str, str]) -> Door:
    """Define a view of the file's numbers over an online store."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.repo_config import RepoConfig
    from feast.types import Float64

    folder.mkdir()
    names = [name for name in pq.read_schema(file).names if name not in {"member_id", "at", "made"}]
    member = Entity(name="member", join_keys=["member_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="member",
        entities=[member],
        schema=[Field(name=name, dtype=Float64) for name in names],
        source=FileSource(path=str(file), timestamp_field="at", created_timestamp_column="made"),
    )
    config = RepoConfig(
        project="scale",
        provider="local",
        registry=str(folder / "registry"),
        offline_store={"type": "duckdb"},
        online_store=online,
        batch_engine={"type": "features.packed_engine.PackedEngine"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply([member, view])
    return Door(store, [f"member:{name}" for name in names])
