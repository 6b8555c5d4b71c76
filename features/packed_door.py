from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from features.packed_response import results
from features.packed_values import column_of, values_of
from recsys.core.errors import MissingError
from recsys.store.online import Place, RowReader, row_reader, row_store
from recsys.store.packed_rows import PackedRows

READ_SECONDS = 5.0
EVENT = "__event"
CREATED = "__created"
TIME = pa.timestamp("us", "UTC")

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Answer = tuple[datetime | None, dict[str, Value] | None]


class PackedDoor(OnlineStore):
    """Feast's door to packed rows, wherever they are; who serves reads the same rows without Feast.

    Feast's time to live is not applied here either: a reader checks the row's own time.
    """

    _opened: RowReader | None = None

    def place(self, config: RepoConfig) -> Place:
        """Where the rows are."""
        raise NotImplementedError

    def write_table(self, config: RepoConfig, view: FeatureView, table: pa.Table, *, event: str, created: str) -> int:
        """Write whole columns: the view's keys and features as Arrow has them, and two times ("" = there is none)."""
        return row_store(self.place(config)).write(
            view.name, table, keys=view.join_keys, event=event, created=created or None
        )

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
            columns[field.name] = column_of(values, field.dtype.to_value_type())
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
            rows = self._read(config, table, entity_keys)
        except MissingError:
            return [(None, None)] * len(entity_keys)
        stored = {column.name for column in rows.schema.columns}
        types = {field.name: field.dtype.to_value_type() for field in table.features}
        names = [name for name in requested_features or types if name in types]
        columns = [
            values_of(rows.column(name), types[name]) if name in stored else [Value()] * len(rows) for name in names
        ]
        times = [time.replace(tzinfo=UTC) if time else None for time in rows.event_time.tolist()]
        return [
            (time, dict(zip(names, values, strict=True))) if has else (None, None)
            for time, has, *values in zip(times, rows.found.tolist(), *columns, strict=True)
        ]

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: list[tuple[FeatureView, list[str]]],
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: GetOnlineFeaturesResponse,
        full_feature_names: bool,  # noqa: FBT001
        include_feature_view_version_metadata: bool,  # noqa: FBT001
    ) -> None:
        """Add views to an answer, the place at which Feast lets a store read faster than view by view and row by row.

        A view whose keys the request renames, or of which a version is asked for, goes Feast's own way.
        """
        response = online_features_response
        for view, names in grouped_refs:
            renamed = view.projection.join_key_map or include_feature_view_version_metadata
            rows = None if renamed else self._found(config, view, join_key_values)
            if rows is None:
                super()._read_features_per_fv(
                    config,
                    [(view, names)],
                    join_key_values,
                    entity_name_to_join_key_map,
                    response,
                    full_feature_names,
                    include_feature_view_version_metadata,
                )
                continue
            prefix = f"{view.projection.name_to_use()}__" if full_feature_names else ""  # type: ignore[no-untyped-call]
            types = {field.name: field.dtype.to_value_type() for field in view.features}
            response.metadata.feature_names.val.extend(prefix + name for name in names)
            response.MergeFromString(results(rows, {name: types[name] for name in names}))

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
            row_store(self.place(config)).forget(view.name)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Take away all rows."""
        for view in tables:
            row_store(self.place(config)).forget(view.name)

    def _reader(self, config: RepoConfig) -> RowReader:
        if self._opened is None:
            self._opened = row_reader(self.place(config), seconds=READ_SECONDS)
        return self._opened

    def _read(self, config: RepoConfig, view: FeatureView, keys: Sequence[EntityKey]) -> PackedRows:
        named = [_key(key) for key in keys]
        return self._reader(config).read(view.name, [[key[name] for name in view.join_keys] for key in named])

    def _found(self, config: RepoConfig, view: FeatureView, values: Mapping[str, Sequence[Value]]) -> PackedRows | None:
        """Read the rows of a request's key columns; None where the view was never materialised."""
        columns = [[_text(value) for value in values[name]] for name in view.join_keys]
        try:
            return self._reader(config).read(
                view.name, columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
            )
        except MissingError:
            return None


def _key(key: EntityKey) -> Mapping[str, str]:
    parts = zip(key.join_keys, key.entity_values, strict=True)
    return {name: _text(value) for name, value in parts}


def _text(value: Value) -> str:
    return str(getattr(value, value.WhichOneof("val") or "null_val"))


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
