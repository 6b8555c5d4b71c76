from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa
from feast import FeatureView
from feast.data_source import DataSource
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel

from features.packed_door import PackedDoor
from features.packed_values import arrow_type, packable

A_DAY = timedelta(days=1)


class PackedEngineConfig(FeastConfigBaseModel):
    """The part `batch_engine` of feature_store.yaml."""

    type: Literal["features.packed_engine.PackedEngine"] = "features.packed_engine.PackedEngine"


class PackedEngine(LocalComputeEngine):
    """Materialises whole Arrow columns into the packed store; Feast's own engine makes a message of every cell.

    What the columns cannot carry as they are (a transformation, another online store, lists) goes Feast's own way.
    """

    def _materialize_one(self, registry: BaseRegistry, task: MaterializationTask, **_: Any) -> LocalMaterializationJob:
        source = _plain_source(task.feature_view)
        if source is None or not isinstance(self.online_store, PackedDoor):
            return super()._materialize_one(registry, task)
        name = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        try:
            self._copy(task, source, self.online_store)
        except Exception as error:  # Feast raises it again, where it waits for the job
            return LocalMaterializationJob(job_id=name, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=name, status=MaterializationJobStatus.SUCCEEDED)

    def _copy(self, task: MaterializationTask, source: DataSource, store: PackedDoor) -> None:
        view = task.feature_view
        # The store keeps the newest of a key's rows by itself; only a long span is worth a join that does so before.
        short = task.end_time - task.start_time <= A_DAY
        pull = (
            self.offline_store.pull_all_from_table_or_query
            if short
            else self.offline_store.pull_latest_from_table_or_query
        )
        job = pull(
            config=self.repo_config,
            data_source=source,
            join_key_columns=view.join_keys,
            feature_name_columns=[field.name for field in view.features],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=source.created_timestamp_column,
            start_date=task.start_time,
            end_date=task.end_time,
        )
        pulled = job.to_arrow()
        types = {field.name: arrow_type(field.dtype.to_value_type()) for field in view.features}
        fields = [pa.field(field.name, types.get(field.name, field.type)) for field in pulled.schema]
        store.write_table(
            self.repo_config,
            view,
            pulled.cast(pa.schema(fields)),
            event=source.timestamp_field,
            created=source.created_timestamp_column or "",
        )


def _plain_source(view: FeatureView) -> DataSource | None:
    source = view.batch_source
    transformed = getattr(view, "feature_transformation", None) or getattr(view, "aggregations", None)
    return source if source and not source.field_mapping and not transformed and packable(view) else None
