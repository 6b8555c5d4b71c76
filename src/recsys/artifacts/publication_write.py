"""Seals a Content as a folder of arrays: ids become rows of sorted hashes, pairs become ragged columns by member."""

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from recsys.artifacts.facts_write import Places, write_facts
from recsys.artifacts.publication_content import (
    CHURN_REASONS,
    COLUMNS,
    FINITE,
    UNKNOWN_CATEGORY,
    ChurnReason,
    Content,
    Factors,
    NeighbourKind,
    Reason,
    Tag,
)
from recsys.artifacts.publication_files import (
    CHURN_QUANTILES,
    FEATURE_QUANTILES,
    FORMAT,
    PRICE_BAND,
    PRODUCT_NUMBERS,
    PRODUCT_TEXTS,
    RECOMMEND_EVIDENCE,
    REPURCHASE_NUMBERS,
    VALUE_NUMBERS,
    id_key,
)
from recsys.artifacts.tagging.write import no_tags, write_traits
from recsys.core.errors import ArtifactError
from recsys.core.folders import point, read_manifest, text_digest, write_folder


def write_publication(root: Path, content: Content, *, keep: int = 100, keep_discoveries: int = 30) -> Path:
    """Seal a content as a new folder under `root`, make it the current one and return it.

    root: Home.publications.
    keep, keep_discoveries: so many of a member's best recommendations and discoveries are kept.
    The folder is named by as_of and the digest of its files: the same content gives the same folder.
    Raises `ArtifactError` that names the frame and column when the content is incomplete or a score is not finite.
    """
    _check(root, content)
    aside = root / f".new-{uuid.uuid4().hex}"
    try:
        manifest = write_folder(aside, lambda folder: _Writer(folder, content, keep, keep_discoveries).write())
        parts = [part for pair in sorted(manifest["files"].items()) for part in pair]
        target = root / f"{content.as_of}-{text_digest(str(sorted(content.model_versions.items())), *parts)[:12]}"
        if not _is_whole(target):
            if target.exists():
                shutil.rmtree(target)
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    point(root, target.name)
    return target


def _is_whole(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        read_manifest(folder)
    except ArtifactError:
        return False
    return True


def _check(root: Path, content: Content) -> None:
    for frame, columns in COLUMNS.items():
        missing = set(columns) - set(getattr(content, frame).columns)
        if missing:
            raise ArtifactError(root, f"content.{frame} lacks {', '.join(sorted(missing))}")
    single = dict.fromkeys(("members", "churn", "value", "price_bands"), "member_id") | {"products": "product_id"}
    for frame, column in single.items():
        if getattr(content, frame)[column].duplicated().any():
            raise ArtifactError(root, f"content.{frame}.{column} is not unique")
    for frame, columns in FINITE.items():
        for column in columns:
            wrong = int((~np.isfinite(_floats(getattr(content, frame)[column]))).sum())
            if wrong:
                raise ArtifactError(root, f"content.{frame}.{column} is not finite in {wrong} rows")
    _check_codes(root, content)


def _check_codes(root: Path, content: Content) -> None:
    for frame in ("recommend", "discovery"):
        unknown = set(getattr(content, frame)["reason"].unique()) - set(Reason)
        if unknown:
            raise ArtifactError(root, f"content.{frame}.reason has {sorted(map(str, unknown))}")
    tags = content.members["tags"].dropna() if "tags" in content.members else ()
    strange = {str(tag) for member in tags for tag in member} - set(Tag)
    if strange:
        raise ArtifactError(root, f"content.members.tags has {sorted(strange)}")


class _Writer:
    """One folder being filled; holds the row numbers that ids were given."""

    def __init__(self, folder: Path, content: Content, keep: int, keep_discoveries: int) -> None:
        self.folder = folder
        self.content = content
        self.keep = keep
        self.keep_discoveries = keep_discoveries
        members = content.members[~content.members["member_id"].isin(content.opted_out)]
        self.members = _in_key_order(members, "member_id")
        self.products = _in_key_order(content.products, "product_id")
        self.member_rows = pd.Index(self.members["member_id"])
        self.product_rows = pd.Index(self.products["product_id"])
        needed = content.repurchase
        names = pd.concat([self._category_of_products(), needed["category"], needed["next_category"].dropna()])
        self.categories = pd.Index(sorted(names.unique()))
        self.brands = pd.Index(sorted(self._brand_of_products().dropna().unique()))
        self.dropped: dict[str, int] = {}

    def write(self) -> dict[str, Any]:
        features, texts = self._write_members()
        self._write_price_bands()
        self._write_products()
        self._write_recommend()
        self._write_discovery()
        self._write_bought()
        self._write_repurchase()
        self._write_churn()
        self._write_value()
        self._write_new_product()
        self._write_neighbours()
        facts = self._write_facts()
        width = self._write_factors(self.content.factors)
        self._save("opted_out", np.sort(_keys(pd.Series(self.content.opted_out, dtype=object))))
        content = self.content
        return {
            "format": FORMAT,
            "as_of": str(content.as_of),
            "zone": content.as_of.zone,
            "tables_digest": content.tables_digest,
            "model_versions": dict(content.model_versions),
            "horizons": dict(content.horizons),
            "members": len(self.members),
            "products": len(self.products),
            "opted_out": len(set(content.opted_out)),
            "categories": self.categories.tolist(),
            "brands": self.brands.tolist(),
            "features": features,
            "text_features": texts,
            "reasons": [str(reason) for reason in Reason],
            "tags": [str(tag) for tag in Tag],
            "factors": width,
            "facts": facts,
            "churn_reasons": [str(reason) for reason in ChurnReason],
            "churn_base": float(np.mean(self.content.churn["score"])) if len(self.content.churn) else None,
            "dropped": self.dropped,
        }

    def _write_members(self) -> tuple[list[str], list[str]]:
        frame = self.members
        values = frame.drop(columns=["member_id", "tags", "attributes"], errors="ignore")
        numeric = [name for name in values if pd.api.types.is_numeric_dtype(values[name])]
        texts = [name for name in values if name not in numeric]
        matrix = values[numeric].to_numpy(dtype=np.float64, na_value=np.nan).reshape(len(frame), len(numeric))
        none = pd.Series([None] * len(frame), dtype=object)
        attributes = _mappings(frame.get("attributes", none))
        columns = {"member_id": _text(frame["member_id"]), "attributes": _text(attributes)}
        self._save("member_tags", _bits(frame.get("tags", none)))
        self._save("member_keys", _keys(frame["member_id"]))
        np.save(self.folder / "member_numbers.npy", np.asfortranarray(matrix), allow_pickle=False)
        self._save(
            "member_quantiles",
            np.stack([_quantiles(c, FEATURE_QUANTILES) for c in matrix.T], axis=0)
            if numeric
            else np.empty((0, FEATURE_QUANTILES)),
        )
        write_traits(self.folder, frame, self.content.tagged or no_tags())
        self._save_table("members", {**columns, **{f"feature:{name}": _text(values[name]) for name in texts}})
        return [str(name) for name in numeric], [str(name) for name in texts]

    def _write_products(self) -> None:
        frame = self.products
        self._save("product_keys", _keys(frame["product_id"]))
        self._save_table("products", {name: _text(frame[name]) for name in PRODUCT_TEXTS})
        for name in PRODUCT_NUMBERS:
            self._save(f"product_{name}", _floats(frame[name]))
        self._save("product_brand", self.brands.get_indexer(self._brand_of_products()).astype(np.int32))
        category = self.categories.get_indexer(self._category_of_products())
        self._save("product_category", category.astype(np.int32))
        popular = np.lexsort((frame["product_id"].to_numpy(dtype=str), _floats(frame["popularity"])))
        self._save("popular", popular.astype(np.int32))
        by_category = popular[np.argsort(category[popular], kind="stable")]
        self._save("popular_in_category_start", _starts(category, len(self.categories)))
        self._save("popular_in_category_product", by_category.astype(np.int32))

    def _write_price_bands(self) -> None:
        for name in PRICE_BAND:
            self._save(f"price_{name}", self._of_members("price_bands", self.content.price_bands, name))

    def _write_recommend(self) -> None:
        frame = self._reasoned("recommend", self.content.recommend, self.keep)
        for name in RECOMMEND_EVIDENCE:
            self._save(f"recommend_{name}", _floats(frame[name]).astype(np.float32))

    def _write_discovery(self) -> None:
        self._reasoned("discovery", self.content.discovery, self.keep_discoveries)

    def _reasoned(self, name: str, frame: pd.DataFrame, keep: int) -> pd.DataFrame:
        """Write each member's best pairs with their reasons, and return them as they stand."""
        frame = _best_first(self._placed(name, frame))
        frame = frame[frame.groupby("member").cumcount() < keep]
        reasons = {str(reason): code for code, reason in enumerate(Reason)}
        self._ragged(name, "score", frame)
        self._save(f"{name}_reason", frame["reason"].map(lambda one: reasons[str(one)]).to_numpy(dtype=np.int8))
        return frame

    def _write_bought(self) -> None:
        frame = self._placed("bought", self.content.bought)
        self._ragged("bought", "days_since", frame.sort_values(["member", "days_since", "product"]))

    def _write_repurchase(self) -> None:
        frame = self.content.repurchase.assign(member=self._member(self.content.repurchase))
        frame = frame.assign(category_row=self.categories.get_indexer(frame["category"]))
        self.dropped["repurchase"] = int((frame["member"] < 0).sum())
        frame = frame.assign(ended=_floats(frame["need_ends_day"]) <= self.content.as_of.number)
        frame = frame[frame["member"] >= 0].sort_values(
            ["member", "ended", "score", "category_row"], ascending=[True, True, False, True]
        )
        self._save("repurchase_start", _starts(frame["member"].to_numpy(), len(self.members)))
        self._save("repurchase_category", frame["category_row"].to_numpy(dtype=np.int32))
        self._save("repurchase_next", self.categories.get_indexer(frame["next_category"]).astype(np.int32))
        for name in REPURCHASE_NUMBERS:
            self._save(f"repurchase_{name}", _floats(frame[name]).astype(np.float32))

    def _write_churn(self) -> None:
        frame = self.content.churn
        scores = self._of_members("churn", frame, "score")
        self._save("churn_score", scores)
        self._save("churn_quantiles", _quantiles(scores, CHURN_QUANTILES))
        codes = np.full((len(self.members), CHURN_REASONS), -1, dtype=np.int8)
        shares = np.full((len(self.members), CHURN_REASONS), np.nan, dtype=np.float32)
        if "why" in frame:
            places = {str(reason): place for place, reason in enumerate(ChurnReason)}
            for row, why, weights in zip(self._member(frame), frame["why"], frame["why_share"], strict=True):
                if row >= 0:
                    codes[row, : len(why)] = [places[str(reason)] for reason in why]
                    shares[row, : len(why)] = weights
        self._save("churn_why", codes.ravel())
        self._save("churn_why_share", shares)

    def _write_value(self) -> None:
        for name in VALUE_NUMBERS:
            self._save(f"value_{name}", self._of_members("value", self.content.value, name))

    def _write_new_product(self) -> None:
        self._ragged("new_product", "score", _best_first(self._placed("new_product", self.content.new_product)))

    def _write_neighbours(self) -> None:
        for kind in NeighbourKind:
            frame = self.content.neighbours[self.content.neighbours["kind"].astype(str) == str(kind)]
            frame = frame.assign(
                left=self.product_rows.get_indexer(frame["product_id"]),
                product=self.product_rows.get_indexer(frame["neighbour_id"]),
            )
            known = (frame["left"] >= 0) & (frame["product"] >= 0)
            self.dropped[str(kind)] = int((~known).sum())
            frame = frame[known].sort_values(["left", "rank", "product"])
            self._save(f"{kind}_start", _starts(frame["left"].to_numpy(), len(self.products)))
            self._save(f"{kind}_product", frame["product"].to_numpy(dtype=np.int32))
            self._save(f"{kind}_score", _floats(frame["score"]).astype(np.float32))

    def _write_facts(self) -> dict[str, list[str]]:
        names, dropped = write_facts(self.content, Places(self.member_rows, self.product_rows), self._save)
        self.dropped.update(dropped)
        return names

    def _write_factors(self, factors: Factors | None) -> int:
        if factors is None:
            return 0
        width = factors.member_factors.shape[1]
        self._save("member_factors", _aligned(self.member_rows, factors.member_ids, factors.member_factors))
        self._save("product_factors", _aligned(self.product_rows, factors.product_ids, factors.product_factors))
        return int(width)

    def _category_of_products(self) -> "pd.Series[str]":
        return self.products["category"].fillna(UNKNOWN_CATEGORY).astype(str)

    def _brand_of_products(self) -> "pd.Series[str]":
        return self.products["brand"].map(str, na_action="ignore")

    def _member(self, frame: pd.DataFrame) -> "np.ndarray":
        return np.asarray(self.member_rows.get_indexer(frame["member_id"]))

    def _of_members(self, name: str, frame: pd.DataFrame, column: str) -> "np.ndarray":
        """(members,) one number of each member, NaN for those whom the frame does not have."""
        rows = self._member(frame)
        self.dropped[name] = int((rows < 0).sum())
        numbers = np.full(len(self.members), np.nan)
        numbers[rows[rows >= 0]] = _floats(frame[column])[rows >= 0]
        return numbers

    def _placed(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Give rows their member and product row numbers and leave out those that have none."""
        product = self.product_rows.get_indexer(frame["product_id"])
        frame = frame.assign(member=self._member(frame), product=product)
        known = (frame["member"] >= 0) & (frame["product"] >= 0)
        self.dropped[name] = int((~known).sum())
        return frame[known]

    def _ragged(self, name: str, column: str, frame: pd.DataFrame) -> None:
        self._save(f"{name}_start", _starts(frame["member"].to_numpy(), len(self.members)))
        self._save(f"{name}_product", frame["product"].to_numpy(dtype=np.int32))
        self._save(f"{name}_{column}", _floats(frame[column]).astype(np.float32))

    def _save(self, name: str, array: "np.ndarray") -> None:
        np.save(self.folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)

    def _save_table(self, name: str, columns: Mapping[str, Any]) -> None:
        table = pa.table(dict(columns))
        with pa.ipc.new_file(str(self.folder / f"{name}.arrow"), table.schema) as file:
            file.write_table(table, max_chunksize=max(1, len(table)))


def _best_first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["member", "score", "product"], ascending=[True, False, True])


def _in_key_order(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    frame = frame.assign(**{column: frame[column].astype(str)})
    return frame.iloc[np.lexsort((frame[column].to_numpy(dtype=str), _keys(frame[column])))].reset_index(drop=True)


def _keys(ids: "pd.Series[Any]") -> "np.ndarray":
    return np.fromiter((id_key(str(text)) for text in ids), dtype=np.uint64, count=len(ids))


def _starts(rows: "np.ndarray", n: int) -> "np.ndarray":
    """(n + 1,) where each row's run begins in columns sorted by row."""
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)


def _floats(column: "pd.Series[Any]") -> "np.ndarray":
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _quantiles(values: "np.ndarray", n: int) -> "np.ndarray":
    known = values[np.isfinite(values)]
    return np.quantile(known, np.linspace(0, 1, n)) if len(known) else np.full(n, np.nan)


def _aligned(rows: "pd.Index[Any]", ids: "np.ndarray", factors: "np.ndarray") -> "np.ndarray":
    """Factors in the order of rows; an id without factors is a row of NaN."""
    aligned = np.full((len(rows), factors.shape[1]), np.nan, dtype=np.float32)
    at = rows.get_indexer(pd.Index(ids).astype(str))
    aligned[at[at >= 0]] = factors[at >= 0]
    return aligned


def _text(column: "pd.Series[Any]") -> Any:
    return pa.array([None if pd.isna(value) else str(value) for value in column], type=pa.large_string())


def _bits(column: "pd.Series[Any]") -> "np.ndarray":
    """(n,) one bit for each tag, the first of `Tag` the lowest."""
    bit = {str(tag): 1 << place for place, tag in enumerate(Tag)}
    lists = [{str(tag) for tag in tags} if isinstance(tags, (list, tuple, np.ndarray)) else () for tags in column]
    return np.array([sum(bit[tag] for tag in tags) for tags in lists], dtype=np.int64)


def _mappings(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Write mappings as JSON, in the order of their keys; None for none."""
    texts = [json.dumps(one, ensure_ascii=False, sort_keys=True) if one else None for one in column]
    return pd.Series(texts, index=column.index, dtype=object)
