from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from feast.value_type import ValueType
from pydantic import field_validator

from features.settings import checked_home
from recsys.core.errors import MissingError
from recsys.store.packed import PackedReader, PackedStore
from recsys.store.packed_rows import PackedRows

EVENT = "__event"
CREATED = "__created"
TIME = pa.timestamp("us", "UTC")

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Answer = tuple[datetime | None, dict[str, Value] | None]

# What Feast calls a type, the column that holds it, and the field of Feast's Value. Every other type (lists, maps,
# times) is kept as the bytes of its Value.
KINDS: dict[ValueType, tuple[pa.DataType, str]] = {
    ValueType.DOUBLE: (pa.float64(), "double_val"),
    ValueType.FLOAT: (pa.float64(), "float_val"),
    ValueType.INT64: (pa.int64(), "int64_val"),
    ValueType.INT32: (pa.int64(), "int32_val"),
    ValueType.BOOL: (pa.bool_(), "bool_val"),
    ValueType.STRING: (pa.string(), "string_val"),
    ValueType.BYTES: (pa.binary(), "bytes_val"),
}


class PackedOnlineStoreConfig(FeastConfigBaseModel):
    """The part `online_store` of feature_store.yaml.

    path: absolute folder of the packed store.
    """

    type: Literal["features.packed_store.PackedOnlineStore"] = "features.packed_store.PackedOnlineStore"
    path: str

    @field_validator("path")
    @classmethod
    def _is_absolute(cls, path: str) -> str:
        checked_home(Path(path))
        return path


class PackedOnlineStore(OnlineStore):
    """Feast's door to the packed store; who serves reads the same rows with `PackedReader` and without Feast.

    Feast's time to live is not applied here either: a reader checks the row's own time.
    """

    def write_table(self, config: RepoConfig, view: FeatureView, table: pa.Table, *, event: str, created: str) -> int:
        """Write whole columns: the view's keys and features as Arrow has them, and two times ("" = there is none)."""
        return _store(config).write(view.name, table, keys=view.join_keys, event=event, created=created or None)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows of Feast's own values."""
        keys = [_key(row[0]) for row in data]
        columns: dict[str, Any] = {name: pa.array([key[name] for key in keys], pa.string()) for name in table.join_keys}
        for field in table.features:
            values = [row[1].get(field.name) for row in data]
            columns[field.name] = _column(values, field.dtype.to_value_type())
        columns[EVENT] = pa.array([_aware(row[2]) for row in data], TIME)
        columns[CREATED] = pa.array([row[3] and _aware(row[3]) for row in data], TIME)
        self.write_table(config, table, pa.table(columns), event=EVENT, created=CREATED)
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Answer]:
        """Read rows as Feast's own values, in the keys' order."""
        try:
            rows = _read(config, table, entity_keys)
        except MissingError:
            return [(None, None)] * len(entity_keys)
        stored = {column.name for column in rows.schema.columns}
        types = {field.name: field.dtype.to_value_type() for field in table.features}
        names = [name for name in requested_features or types if name in types]
        columns = [
            _values(rows.column(name), types[name]) if name in stored else [Value()] * len(rows) for name in names
        ]
        times = [time.replace(tzinfo=UTC) if time else None for time in rows.event_time.tolist()]
        return [
            (time, dict(zip(names, values, strict=True))) if has else (None, None)
            for time, has, *values in zip(times, rows.found.tolist(), *columns, strict=True)
        ]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,  # noqa: FBT001
    ) -> None:
        """Take away the rows of views that are gone; a view's first write makes room for it."""
        for view in tables_to_delete:
            _store(config).forget(view.name)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Take away all rows."""
        for view in tables:
            _store(config).forget(view.name)


def packable(view: FeatureView) -> bool:
    """Whether a view's features all have columns of their own, so that Arrow's columns can be written as they are."""
    return all(field.dtype.to_value_type() in KINDS for field in view.features)


def arrow_type(value_type: ValueType) -> pa.DataType:
    """Return the column type that holds a Feast type."""
    return KINDS[value_type][0] if value_type in KINDS else pa.binary()


def _store(config: RepoConfig) -> PackedStore:
    return PackedStore(Path(config.online_store.path))


def _read(config: RepoConfig, view: FeatureView, keys: Sequence[EntityKey]) -> PackedRows:
    named = [_key(key) for key in keys]
    return PackedReader(Path(config.online_store.path)).read(
        view.name, [[key[name] for name in view.join_keys] for key in named]
    )


def _key(key: EntityKey) -> Mapping[str, str]:
    parts = zip(key.join_keys, key.entity_values, strict=True)
    return {name: str(getattr(value, value.WhichOneof("val"))) for name, value in parts}


def _column(values: Sequence[Value | None], value_type: ValueType) -> Any:
    known = [
        value if value is not None and value.WhichOneof("val") not in {None, "null_val"} else None for value in values
    ]
    if value_type not in KINDS:
        return pa.array([value and value.SerializeToString() for value in known], pa.binary())
    kind, attribute = KINDS[value_type]
    return pa.array([None if value is None else getattr(value, attribute) for value in known], kind)


def _values(cells: Sequence[Any], value_type: ValueType) -> list[Value]:
    if value_type not in KINDS:
        return [Value() if cell is None else Value.FromString(cell) for cell in cells]
    attribute = KINDS[value_type][1]
    arguments: list[dict[str, Any]] = [{} if cell is None else {attribute: cell} for cell in cells]
    return [Value(**argument) for argument in arguments]


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
