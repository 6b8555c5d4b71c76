"""Features of products that do not exist yet: described by their attributes, looked at as launches of the day."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.core.errors import ConfigError
from recsys.core.folders import text_digest
from recsys.core.frames import Rows
from recsys.core.task import Task
from recsys.data.engine import connect, quoted, stored
from recsys.data.schema import SCHEMA
from recsys.data.snapshot import Snapshot
from recsys.features.build import build_snapshot, read_rows
from recsys.features.candidates import CandidateConfig, LevelConfig
from recsys.features.collaborative import CollaborativeConfig

PRODUCTS = "products"
FEWEST = LevelConfig(
    history=0,
    frequency=0,
    each=0,
    kin=0,
    popular=0,
    collaborative=CollaborativeConfig(items=1, iterations=1, factors=1),
)
CANDIDATES = CandidateConfig(product=FEWEST, subcategory=FEWEST, pool=1)


@dataclass(frozen=True)
class Described:
    """A product that does not exist yet; None = unknown, and what is unknown speaks neither for nor against it.

    product_id: any name that no product has. price: list price of a unit, in the shop's currency.
    A category, subcategory or brand that nobody has ever bought is as good as unknown.
    """

    product_id: str
    category: str | None = None
    subcategory: str | None = None
    brand: str | None = None
    price: float | None = None
    package_size: str | None = None
    is_consumable: bool | None = None


def described_rows(snapshot: Snapshot, products: Sequence[Described], task: Task, scratch: Path) -> Rows:
    """Compute the rows of a launch task for described products and every active member.

    The products are added to the snapshot's own as launches of its day, and the features are those that the same code
    computes for every launch; only lists of other candidates are left out. So a product is on sale for the whole
    horizon.

    scratch: an empty folder for what is computed on the way.
    `ConfigError` when a product's id is taken.
    """
    ids = {product.product_id for product in products}
    folder = build_snapshot(_with(snapshot, products, scratch), scratch / "snapshots", candidates=CANDIDATES)
    rows = read_rows(folder, task)
    return rows.take(np.asarray(rows.keys["product_id"].isin(ids)))


def _with(snapshot: Snapshot, products: Sequence[Described], scratch: Path) -> Snapshot:
    """Return the snapshot over tables that have these products too."""
    frame = pd.DataFrame([vars(product) for product in products], columns=[field.name for field in fields(Described)])
    target = scratch / "products.parquet"
    schema = SCHEMA[PRODUCTS]
    known = stored(schema, snapshot.files[PRODUCTS])
    launched = f"TIMESTAMP '{snapshot.as_of.instant.replace(tzinfo=None).isoformat(sep=' ')}'"
    told = ", ".join(
        f"CAST(coalesce({_value(column.name, frame, launched)}, {column.default or 'NULL'}) AS {column.type})"
        f" AS {column.name}"
        for column in schema.stored
    )
    with connect() as connection:
        connection.register("described", pa.Table.from_pandas(frame, preserve_index=False))
        orders = stored(SCHEMA["orders"], snapshot.files["orders"])
        taken = connection.execute(
            f"SELECT product_id FROM described WHERE product_id IN (SELECT product_id FROM {known})"
            f" OR product_id IN (SELECT product_id FROM {orders})"
            " OR product_id IN (SELECT product_id FROM described GROUP BY ALL HAVING count(*) > 1)"
        ).fetchone()
        if taken is not None:
            raise ConfigError("product_id", f"{taken[0]!r} is the name of another product")
        connection.execute(
            f"COPY (SELECT * FROM {known} UNION ALL BY NAME SELECT {told} FROM described) TO {quoted(str(target))}"
        )
    digest = text_digest(snapshot.digest, frame.to_json())
    return replace(snapshot, digest=digest, files={**snapshot.files, PRODUCTS: target})


def _value(name: str, frame: pd.DataFrame, launched: str) -> str:
    """Name the SQL of a stored column of a described product."""
    if name == "launched_at":
        return launched
    return name if name in frame else "NULL"
