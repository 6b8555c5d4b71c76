from datetime import timedelta

from feast import FeatureView, Field, FileSource
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


def feature_views(home: Home) -> dict[View, FeatureView]:
    """Build every view from the feature catalogue, over the snapshots of a home."""
    return {view: _feature_view(view, home) for view in View}


def _feature_view(view: View, home: Home) -> FeatureView:
    source = SnapshotSource(
        name=f"{view}_snapshots",
        path=str(home.snapshots / "as_of=????-??-??" / f"{view}.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
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
