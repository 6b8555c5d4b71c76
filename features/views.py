from datetime import timedelta
from typing import Any

from feast import FeatureView, Field, FileSource
from feast.data_source import DataSource
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.repo_config import RepoConfig
from feast.types import Float64, String

from features.entities import ENTITIES
from recsys.core.config import Home
from recsys.core.task import FeatureSpec, View
from recsys.features.catalog import features_of

# Shorter than any mall day: a row of an older snapshot must never stand in for one that is missing.
LIFE = timedelta(hours=1)

# The views that are kept online. All of a member's features stand in one view, so that one read answers for all.
SERVED = (View.MEMBER,)

DTYPES = {"number": Float64, "category": String}


class SnapshotSource(FileSource):
    """The snapshots' files of one view, of which there may be none yet when the definitions are applied."""

    def validate(self, config: RepoConfig) -> None:
        """Accept: Feast would look for a file that is named like the glob."""


class SparkSnapshotSource(SparkSource):
    """The same files, as a cluster reads them."""

    def validate(self, config: RepoConfig) -> None:
        """Accept: Feast would start a cluster to look at them."""


def feature_views(home: Home, *, on_spark: bool) -> dict[View, FeatureView]:
    """Build every view from the feature catalogue, over the snapshots of a home.

    on_spark: whether Feast reads them through Spark.
    """
    return {view: _feature_view(view, _source(view, home, on_spark=on_spark)) for view in View}


def _source(view: View, home: Home, *, on_spark: bool) -> DataSource:
    told: dict[str, Any] = {
        "name": f"{view}_snapshots",
        "path": str(home.snapshots / "as_of=????-??-??" / f"{view}.parquet"),
        "timestamp_field": "event_timestamp",
        "created_timestamp_column": "created_timestamp",
    }
    return SparkSnapshotSource(**told, file_format="parquet") if on_spark else SnapshotSource(**told)


def _feature_view(view: View, source: DataSource) -> FeatureView:
    return FeatureView(
        name=view.value,
        entities=[ENTITIES[key] for key in view.keys],
        schema=[
            *(Field(name=key, dtype=String) for key in view.keys),
            *(_field(spec) for spec in features_of(view)),
        ],
        source=source,
        ttl=LIFE,
        online=view in SERVED,
    )


def _field(spec: FeatureSpec) -> Field:
    tags = {"unit": spec.unit, "null": spec.null_meaning}
    return Field(name=spec.name, dtype=DTYPES[spec.kind], description=spec.formula, tags=tags)
