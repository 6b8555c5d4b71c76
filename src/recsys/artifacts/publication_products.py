"""Writes what is told of products: descriptions, numbers, popularity and neighbours."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.artifacts.publication_arrays import save, starts
from recsys.artifacts.publication_content import FINITE, UNKNOWN_CATEGORY, Content, NeighbourKind
from recsys.artifacts.publication_files import LAUNCH_NUMBERS, PRODUCT_NUMBERS, PRODUCT_TEXTS
from recsys.artifacts.publication_places import Places, in_key_order, keys_of
from recsys.artifacts.publication_texts import save_table
from recsys.core.errors import ArtifactError


def ordered_products(content: Content, root: Path) -> pd.DataFrame:
    """Return the products in the order of rows; `ArtifactError` when one comes twice or a number lacks."""
    frame = content.products.assign(product_id=content.products["product_id"].astype(str))
    if frame["product_id"].duplicated().any():
        raise ArtifactError(root, "content.products.product_id is not unique")
    _hold_finite(root, "products", frame)
    _hold_finite(root, "neighbours", content.neighbours)
    ordered: pd.DataFrame = frame.iloc[in_key_order(frame["product_id"].to_numpy(dtype=object))]
    return ordered.reset_index(drop=True)


def categories_of(frame: pd.DataFrame) -> "pd.Series[str]":
    """Return each product's category, never None."""
    return frame["category"].fillna(UNKNOWN_CATEGORY).astype(str)


def brands_of(frame: pd.DataFrame) -> "pd.Series[str]":
    """Return each product's brand, None = unknown."""
    return frame["brand"].map(str, na_action="ignore")


def write_products(folder: Path, frame: pd.DataFrame, categories: "np.ndarray", brands: "np.ndarray") -> None:
    """Write products, which stand in the order of rows, and which are popular, at all and by category.

    categories, brands: all of them, sorted.
    """
    save(folder, "product_keys", keys_of(frame["product_id"].to_numpy(dtype=object)))
    save_table(folder, "products", pa.table({name: _text(frame[name]) for name in PRODUCT_TEXTS}))
    for name in PRODUCT_NUMBERS:
        save(folder, f"product_{name}", _floats(frame[name]))
    save(folder, "product_brand", pd.Index(brands).get_indexer(pd.Index(brands_of(frame))).astype(np.int32))
    category = pd.Index(categories).get_indexer(pd.Index(categories_of(frame)))
    save(folder, "product_category", category.astype(np.int32))
    popular = np.lexsort((frame["product_id"].to_numpy(dtype=str), _floats(frame["popularity"])))
    save(folder, "popular", popular.astype(np.int32))
    by_category = popular[np.argsort(category[popular], kind="stable")]
    save(folder, "popular_in_category_start", starts(np.bincount(category, minlength=len(categories))))
    save(folder, "popular_in_category_product", by_category.astype(np.int32))


def write_neighbours(folder: Path, places: Places) -> None:
    """Write each product's neighbours of each kind, the nearest first."""
    rows = pd.Index(places.ids("product").to_numpy())
    for kind in NeighbourKind:
        frame = places.content.neighbours
        frame = frame[frame["kind"].astype(str) == str(kind)]
        frame = frame.assign(
            left=rows.get_indexer(frame["product_id"]),
            product=rows.get_indexer(frame["neighbour_id"]),
        )
        known = (frame["left"] >= 0) & (frame["product"] >= 0)
        places.dropped[str(kind)] = int((~known).sum())
        frame = frame[known].sort_values(["left", "rank", "product"])
        save(folder, f"{kind}_start", starts(np.bincount(frame["left"].to_numpy(), minlength=len(rows))))
        save(folder, f"{kind}_product", frame["product"].to_numpy(dtype=np.int32))
        save(folder, f"{kind}_score", _floats(frame["score"]).astype(np.float32))


def write_launches(folder: Path, places: Places) -> None:
    """Write how many members were scored for a product and from which score on all are listed; NaN = all are."""
    told = places.content.launches
    rows = pd.Index(places.ids("product").to_numpy())
    for name in LAUNCH_NUMBERS:
        numbers = np.full(len(rows), np.nan)
        if told is not None:
            at = rows.get_indexer(pd.Index(told["product_id"]))
            numbers[at[at >= 0]] = _floats(told[name.removeprefix("launch_")])[at >= 0]
        save(folder, f"product_{name}", numbers)


def _hold_finite(root: Path, name: str, frame: pd.DataFrame) -> None:
    for column in FINITE[name]:
        wrong = int((~np.isfinite(_floats(frame[column]))).sum())
        if wrong:
            raise ArtifactError(root, f"content.{name}.{column} is not finite in {wrong} rows")


def _floats(column: "pd.Series[Any]") -> "np.ndarray":
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _text(column: "pd.Series[Any]") -> Any:
    return pa.array([None if pd.isna(value) else str(value) for value in column], type=pa.string())
