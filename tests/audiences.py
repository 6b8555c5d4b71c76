"""What tests of audiences share: who asks, when, and for whom."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq

from recsys.answers.audience.create import Order, create, parse_wanted
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import place_of
from recsys.artifacts.publication import Publication
from recsys.store.audiences import AudienceVersion
from recsys.store.audit import Who
from tests.publications import AS_OF

ANNA = Who("a1b2c3d4", "王芳", "ops")
NOW = AS_OF.instant + timedelta(hours=9)

EVERYBODY: dict[str, Any] = {"rule": {"all": []}, "by": {"score": "churn"}}
LEAVING: dict[str, Any] = {"rule": {"score": "churn", "min": 0.5}}
ALL_OF_THEM: dict[str, Any] = {"pressure": None}


def make(
    shelf: Shelf,
    publication: Publication,
    name: str = "流失",
    *,
    spec: dict[str, Any] | None = None,
    terms: Mapping[str, Any] = ALL_OF_THEM,
) -> AudienceVersion:
    """Make a new audience; of everybody, when nothing else is said."""
    order = Order(name=name, wanted=parse_wanted(spec or EVERYBODY), terms=terms)
    return create(shelf, publication, order, who=ANNA, now=NOW)


def members(shelf: Shelf, version: AudienceVersion) -> list[dict[str, Any]]:
    """Return the members of a version's package, in its order."""
    folder = place_of(shelf.root, version.draft.audience_id, version.version)
    rows: list[dict[str, Any]] = pq.read_table(folder / "members.parquet").to_pylist()
    return rows
