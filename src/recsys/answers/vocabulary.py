"""The names that rules and requests may use: what a console offers instead of having them typed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from recsys.answers.shapes import DESCRIBED
from recsys.artifacts.publication import Product, Publication

kernels: Any = pa.compute


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names of a publication."""

    __pydantic_config__ = DESCRIBED
    categories: tuple[str, ...]
    """Categories, ascending."""
    brands: tuple[str, ...]
    """Brands, ascending."""
    event_types: tuple[str, ...]
    """Types of events."""
    channels: tuple[str, ...]
    """Channels of contacts."""
    campaigns: tuple[str, ...]
    """Campaigns of contacts."""
    formats: tuple[str, ...]
    """Content formats of contacts."""
    launches: tuple[Product, ...]
    """Products that members are scored for as new, by how many are."""


@dataclass(frozen=True, slots=True)
class Products:
    """Products that were looked for."""

    __pydantic_config__ = DESCRIBED
    products: tuple[Product, ...]
    """The most popular first."""


def vocabulary(publication: Publication, launches: int = 50) -> Vocabulary:
    """List the names of a publication, and its best-known launches."""
    facts = publication.facts
    rows, counts = np.unique(publication.new_product.other, return_counts=True)
    order = counts.argsort(kind="stable")[::-1][:launches]
    return Vocabulary(
        publication.categories,
        publication.brands,
        facts.event_types,
        facts.channels,
        facts.campaigns,
        facts.formats,
        tuple(publication.product(row) for row in rows[order].tolist()),
    )


def find_products(publication: Publication, text: str, limit: int) -> Products:
    """Look for products whose id or name holds a text, in whatever case; an empty text finds the popular ones."""
    if not text:
        return Products(tuple(publication.product(row) for row in publication.popular[:limit].tolist()))
    columns = publication.products.texts.columns
    masks = [kernels.match_substring(columns[name], text, ignore_case=True) for name in ("product_id", "name")]
    found = kernels.fill_null(kernels.or_kleene(*masks), fill_value=False).to_numpy(zero_copy_only=False)
    rows = publication.popular[found[publication.popular]]
    return Products(tuple(publication.product(row) for row in rows[:limit].tolist()))
