"""Seals a Content as a folder of arrays: ids become rows of sorted hashes, pairs become ragged columns by member."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from recsys.artifacts.facts_write import write_facts
from recsys.artifacts.publication_arrays import save
from recsys.artifacts.publication_content import COLUMNS, ChurnReason, Content, Reason, Tag
from recsys.artifacts.publication_files import FORMAT
from recsys.artifacts.publication_members import ordered_members, write_factors, write_members, write_singles
from recsys.artifacts.publication_pairs import REASONS, layouts, write_pairs
from recsys.artifacts.publication_places import Places, keys_of, numbered
from recsys.artifacts.publication_products import (
    brands_of,
    categories_of,
    ordered_products,
    write_launches,
    write_neighbours,
    write_products,
)
from recsys.artifacts.publication_seal import verified
from recsys.artifacts.publication_source import Sources
from recsys.core.errors import ArtifactError
from recsys.core.folders import point, text_digest, write_folder


def write_publication(root: Path, content: Content, *, keep: int = 100, keep_discoveries: int = 30) -> Path:
    """Seal a content as a new folder under `root`, make it the current one and return it.

    root: Home.publications.
    keep, keep_discoveries: so many of a member's best recommendations and discoveries are kept.
    The folder is named by as_of and the digest of its files: the same content gives the same folder. Tables of the
    content are read one after the other and never held whole; what sorting them needs beyond a fixed memory lies in a
    folder beside.
    Raises `ArtifactError` that names the frame and column when the content is incomplete or a score is not finite.
    """
    aside, spill = root / f".new-{uuid.uuid4().hex}", root / f".spill-{uuid.uuid4().hex}"
    spill.mkdir(parents=True)
    sources = Sources(content.frames, spill)
    try:
        _check(root, content, sources)
        manifest = write_folder(aside, lambda folder: _fill(folder, root, sources, content, keep, keep_discoveries))
        parts = [part for pair in sorted(manifest["files"].items()) for part in pair]
        versions = str(sorted(content.model_versions.items())), str(manifest["challenger"])
        target = root / f"{content.as_of}-{text_digest(*versions, *parts)[:12]}"
        if not _is_whole(target):
            if target.exists():
                shutil.rmtree(target)
            aside.rename(target)
    finally:
        sources.close()
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(spill, ignore_errors=True)
    point(root, target.name)
    return target


def _is_whole(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        verified(folder)
    except ArtifactError:
        return False
    return True


def _check(root: Path, content: Content, sources: Sources) -> None:
    for frame in content.frames:
        missing = set(COLUMNS[frame]) - set(sources.columns(frame))
        if missing:
            raise ArtifactError(root, f"content.{frame} lacks {', '.join(sorted(missing))}")


def _fill(
    folder: Path, root: Path, sources: Sources, content: Content, keep: int, keep_discoveries: int
) -> dict[str, Any]:
    products = ordered_products(content, root)
    tables = {
        "place_member": numbered(ordered_members(content, sources, root)),
        "place_product": numbered(products["product_id"].to_numpy(dtype=object)),
        "place_reason": numbered(REASONS),
    }
    places = Places(content, sources, root, tables)
    names = "SELECT CAST(category AS VARCHAR) FROM rows UNION SELECT CAST(next_category AS VARCHAR) FROM rows"
    needed = {text for batch in places.read("repurchase", names) for text in batch.column(0).to_pylist()}
    categories = np.array(sorted({*categories_of(products), *needed} - {None}), dtype=object)
    brands = np.array(sorted(brands_of(products).dropna().unique()), dtype=object)
    places = places.also("category", categories)
    features, texts = write_members(folder, places)
    write_products(folder, products, categories, brands)
    for layout in layouts(content, keep, keep_discoveries):
        write_pairs(folder, places, layout)
    churn_base = write_singles(folder, places)
    write_neighbours(folder, places)
    write_launches(folder, places)
    facts = write_facts(folder, places)
    width = write_factors(folder, places)
    save(folder, "opted_out", np.sort(keys_of(np.array(content.opted_out, dtype=object))))
    return {
        "format": FORMAT,
        "as_of": str(content.as_of),
        "zone": content.as_of.zone,
        "tables_digest": content.tables_digest,
        "model_versions": dict(content.model_versions),
        "challenger": None if content.challenger is None else content.challenger.version,
        "horizons": dict(content.horizons),
        "members": places.size("member"),
        "products": places.size("product"),
        "opted_out": len(set(content.opted_out)),
        "categories": categories.tolist(),
        "brands": brands.tolist(),
        "features": features,
        "text_features": texts,
        "reasons": [str(reason) for reason in Reason],
        "tags": [str(tag) for tag in Tag],
        "factors": width,
        "facts": facts,
        "churn_reasons": [str(reason) for reason in ChurnReason],
        "churn_base": churn_base,
        "dropped": places.dropped,
    }
