"""Writes what is told of each member once: features column by column, texts, standings, and single scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from recsys.artifacts.publication_arrays import save
from recsys.artifacts.publication_content import CHURN_REASONS, ChurnReason, Content, Tag
from recsys.artifacts.publication_files import CHURN_QUANTILES, FEATURE_QUANTILES, PRICE_BAND, VALUE_NUMBERS
from recsys.artifacts.publication_places import Finite, Places, floats, in_key_order, keys_of
from recsys.artifacts.publication_source import Sources, is_number
from recsys.artifacts.publication_texts import save_table
from recsys.artifacts.tagging.write import no_tags, write_traits
from recsys.core.errors import ArtifactError
from recsys.data.engine import named

kernels: Any = pa.compute

COLUMNS_AT_ONCE = 16
APART = ("member_id", "tags", "attributes")
OF_MEMBER = "JOIN place_member AS m ON m.id = CAST(rows.member_id AS VARCHAR)"


def ordered_members(content: Content, sources: Sources, root: Path) -> "np.ndarray":
    """(n,) ids of the members who may be personalised, in the order of rows; `ArtifactError` when one comes twice."""
    sql = "SELECT CAST(member_id AS VARCHAR) AS id FROM rows"
    parts = sources.read("members", sql, beside={}, given={})
    whole = pa.chunked_array([part.column(0) for part in parts], pa.string())
    refused = pa.array(list(content.opted_out), pa.string())
    ids = whole.filter(kernels.invert(kernels.is_in(whole, value_set=refused))).to_numpy()
    ids = ids[in_key_order(ids)]
    if (ids[1:] == ids[:-1]).any():
        raise ArtifactError(root, "content.members.member_id is not unique")
    return np.asarray(ids)


def write_members(folder: Path, places: Places) -> tuple[list[str], list[str]]:
    """Write keys, features, texts, standings, tags and segments; return the names of the features and text features."""
    kinds = {name: kind for name, kind in places.sources.columns("members").items() if name not in APART}
    numeric = [name for name, kind in kinds.items() if is_number(kind)]
    texts = [name for name in kinds if name not in numeric]
    _write_numbers(folder, places, numeric)
    told = _texts(places, texts)
    save(folder, "member_keys", keys_of(told.column("member_id").to_numpy()))
    save(folder, "member_tags", _bits(places, told.column("tags").combine_chunks()))
    own = {name: told.column(f"feature:{name}") for name in texts}
    tagged = places.content.tagged or no_tags()
    write_traits(folder, told.column("member_id"), {**dict.fromkeys(numeric), **own}, tagged)
    save_table(folder, "members", told.drop_columns(["tags"]))
    return numeric, texts


def _write_numbers(folder: Path, places: Places, names: Sequence[str]) -> None:
    """Write (members, features) numbers, a feature's together in the file, and what divides each into hundredths."""
    quantiles = [np.empty((0, FEATURE_QUANTILES))]
    with (folder / "member_numbers.npy").open("wb") as file:
        shape = (places.size("member"), len(names))
        about = {"descr": np.dtype(np.float64).str, "fortran_order": True, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        for start in range(0, len(names), COLUMNS_AT_ONCE):
            block = _numbers(places, names[start : start + COLUMNS_AT_ONCE])
            file.write(block.data)
            quantiles += [divided(column, FEATURE_QUANTILES)[None] for column in block]
    save(folder, "member_quantiles", np.concatenate(quantiles))


def _numbers(places: Places, names: Sequence[str]) -> "np.ndarray":
    """(names, members) numbers, NaN = unknown."""
    columns = "".join(f", CAST(rows.{named(name)} AS DOUBLE) AS c{at}" for at, name in enumerate(names))
    block = np.full((len(names), places.size("member")), np.nan)
    for batch in places.read("members", f"SELECT m.row{columns} FROM rows {OF_MEMBER}"):
        rows = batch.column("row").to_numpy()
        for at in range(len(names)):
            block[at, rows] = floats(batch, f"c{at}")
    return block


def _texts(places: Places, names: Sequence[str]) -> pa.Table:
    """Return `member_id`, `tags`, `attributes` and the text features, in the order of rows."""
    known = places.sources.columns("members")
    tags, attributes = (
        f"CAST({name} AS {kind})" if name in known else f"CAST(NULL AS {kind})"
        for name, kind in (("tags", "VARCHAR[]"), ("attributes", "VARCHAR"))
    )
    features = "".join(f", CAST(rows.{named(name)} AS VARCHAR) AS {named(f'feature:{name}')}" for name in names)
    sql = f"SELECT m.id AS member_id, {attributes} AS attributes, {tags} AS tags{features} FROM rows {OF_MEMBER}"
    parts = list(places.read("members", f"{sql} ORDER BY m.row"))
    text, schema = pa.string(), {"member_id": pa.string(), "attributes": pa.string(), "tags": pa.list_(pa.string())}
    empty = pa.schema({**schema, **{f"feature:{name}": text for name in names}}).empty_table()
    return pa.Table.from_batches(parts) if parts else empty


def _bits(places: Places, lists: Any) -> "np.ndarray":
    """(n,) one bit for each tag of (n,) lists, the first of `Tag` the lowest; a list that is null has none."""
    words = pa.array([str(tag) for tag in Tag])
    codes = kernels.index_in(lists.flatten(), value_set=words)
    if codes.null_count:
        strange = set(lists.flatten().filter(kernels.is_null(codes)).to_pylist())
        raise places.refuse(f"members.tags has {sorted(map(str, strange))}")
    bits = np.zeros(len(lists), dtype=np.int64)
    owner = kernels.list_parent_indices(lists).to_numpy()
    np.bitwise_or.at(bits, owner, np.left_shift(1, codes.to_numpy().astype(np.int64)))
    return bits


def write_singles(folder: Path, places: Places) -> float | None:
    """Write what each member has one of: price band, value, churn; return the mean chance to leave, None = of none."""
    for name, column in _singles(places, "price_bands", PRICE_BAND).items():
        save(folder, f"price_{name}", column)
    for name, column in _singles(places, "value", VALUE_NUMBERS).items():
        save(folder, f"value_{name}", column)
    scores = _singles(places, "churn", ("score",))["score"]
    save(folder, "churn_score", scores)
    save(folder, "churn_quantiles", divided(scores, CHURN_QUANTILES))
    _write_why(folder, places)
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else None


def _singles(places: Places, frame: str, names: Sequence[str]) -> dict[str, "np.ndarray"]:
    """(members,) numbers by name, NaN for those whom the frame does not have."""
    columns = "".join(f", CAST(rows.{name} AS DOUBLE) AS {name}" for name in names)
    members = places.size("member")
    told = {name: np.full(members, np.nan) for name in names}
    seen, finite, dropped = np.zeros(members, dtype=np.int32), Finite(places, frame), 0
    for batch in places.read(frame, f"SELECT coalesce(m.row, -1) AS row{columns} FROM rows LEFT {OF_MEMBER}"):
        rows = batch.column("row").to_numpy()
        there = rows >= 0
        numbers = {name: floats(batch, name) for name in names}
        finite.look(numbers)
        dropped += int((~there).sum())
        seen += np.bincount(rows[there], minlength=members).astype(np.int32)
        for name, values in numbers.items():
            told[name][rows[there]] = values[there]
    finite.hold()
    if (seen > 1).any():
        raise places.refuse(f"{frame}.member_id is not unique")
    places.dropped[frame] = dropped
    return told


def _write_why(folder: Path, places: Places) -> None:
    """Write (members, CHURN_REASONS) codes, -1 = none, and shares, NaN = none, of what moves each churn score."""
    members = places.size("member")
    codes = np.full((members, CHURN_REASONS), -1, dtype=np.int8)
    shares = np.full((members, CHURN_REASONS), np.nan, dtype=np.float32)
    if "why" in places.sources.columns("churn"):
        words = pa.array([str(reason) for reason in ChurnReason])
        lists = "CAST(rows.why AS VARCHAR[]) AS why, CAST(rows.why_share AS DOUBLE[]) AS share"
        for batch in places.read("churn", f"SELECT m.row, {lists} FROM rows {OF_MEMBER}"):
            why: Any = batch.column("why")
            share: Any = batch.column("share")
            owner = kernels.list_parent_indices(why).to_numpy()
            place = np.arange(len(owner)) - np.searchsorted(owner, owner)
            at = batch.column("row").to_numpy()[owner], place
            codes[at] = kernels.index_in(why.flatten(), value_set=words).to_numpy(zero_copy_only=False)
            shares[at] = share.flatten().to_numpy(zero_copy_only=False)
    save(folder, "churn_why", codes.ravel())
    save(folder, "churn_why_share", shares)


def divided(values: "np.ndarray", n: int) -> "np.ndarray":
    """(n,) what divides the known values into n - 1 parts of equal size, NaN without any."""
    known = values[np.isfinite(values)]
    return np.quantile(known, np.linspace(0, 1, n)) if len(known) else np.full(n, np.nan)


def write_factors(folder: Path, places: Places) -> int:
    """Write the factors of members and products in the order of rows, NaN = none; return their width, 0 = none."""
    factors = places.content.factors
    if factors is None:
        return 0
    given: Mapping[str, tuple[Any, Any]] = {
        "member": (factors.member_ids, factors.member_factors),
        "product": (factors.product_ids, factors.product_factors),
    }
    for kind, (ids, numbers) in given.items():
        at = kernels.index_in(pa.array(ids, pa.string()), value_set=places.ids(kind).combine_chunks())
        rows = at.fill_null(-1).to_numpy()
        aligned = np.full((places.size(kind), numbers.shape[1]), np.nan, dtype=np.float32)
        aligned[rows[rows >= 0]] = numbers[rows >= 0]
        save(folder, f"{kind}_factors", aligned)
    return int(factors.member_factors.shape[1])
