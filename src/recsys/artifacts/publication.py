"""One immutable folder that everything is answered from: opened whole, verified first, memory-mapped."""

import json
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from math import isfinite, nan
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.artifacts.facts import Facts
from recsys.artifacts.publication_columns import Ids, Ragged, Texts, open_array, open_rows
from recsys.artifacts.publication_content import CHALLENGER, CHURN_REASONS, ChurnReason, Reason, Tag
from recsys.artifacts.publication_files import (
    CHURN_QUANTILES,
    FEATURE_QUANTILES,
    FORMAT,
    LAUNCH_NUMBERS,
    MEMBER_TEXTS,
    PRICE_BAND,
    PRODUCT_NUMBERS,
    PRODUCT_TEXTS,
    RECOMMEND_EVIDENCE,
    REPURCHASE_NUMBERS,
    VALUE_NUMBERS,
    id_key,
)
from recsys.artifacts.publication_seal import Seal, remember, verified
from recsys.artifacts.tagging.columns import SegmentColumn, TagColumn, Traits
from recsys.core.errors import ArtifactError, ConfigError, MissingError
from recsys.core.folders import current
from recsys.core.time import AsOf


@dataclass(frozen=True, slots=True)
class Product:
    """What an answer says of a product; None = unknown."""

    product_id: str
    name: str | None
    category: str
    subcategory: str | None
    brand: str | None
    price: float | None


@dataclass(frozen=True, eq=False)
class Recommended:
    """The lists that one version of the model made, by member, of products.

    reasons: (pairs of recommend,) codes, read by `Publication.reason`; discovery_reasons: the same of discovery.
    """

    version: str | None
    recommend: Ragged
    reasons: "np.ndarray"
    discovery: Ragged
    discovery_reasons: "np.ndarray"


@dataclass(frozen=True, eq=False)
class Publication:
    """Rows of members and products are numbers; every array is (members,), (products,) or ragged over one of them.

    members, products: ids to row numbers.
    member_numbers: (members, f) in the order of `features`, NaN = unknown; member_quantiles: (f, 101) of each feature.
    tag_bits: (members,) one bit for each standing, the first of `Tag` the lowest. traits: tags and segments as columns;
        read by `tag` and `segment`. price_band: low and high; (members,) price
        levels that the member usually pays, NaN = unknown.
    product_numbers: `PRODUCT_NUMBERS` by name; (products,) each. `launch_scored`, `launch_floor` of launches of which
        only the likeliest members are listed: how many were scored, and the score from which on all are listed.
    product_category, product_brand: places in `categories` and `brands`, which are sorted; brand -1 = unknown.
    popular: product rows, the most popular first; popular_in: the same by category.
    on_sale: launched and not delisted on the day as_of; sellable: on sale and in stock, or stock unknown.
    recommend, discovery, new_product, bought: by member, of products; repurchase: by member, of categories, needs that
        have ended last; repurchase_next: (pairs of repurchase,) places in `categories`, -1 = nothing takes the
        category's place.
    similar, together: by product, of products. reasons: (pairs of recommend,) codes, read by `reason`;
        discovery_reasons: the same of discovery.
    churn: (members,) NaN = not scored; churn_quantiles: (1001,); churn_base: mean of all scored, NaN = nobody is.
    churn_why, churn_why_share: (members, CHURN_REASONS) codes, -1 = none, and weights; read by `churn_reasons`.
    challenger: a second model's lists, for placements that try it; None = there is none.
    facts: purchases, events and contacts by day.
    value: score (money), purchases and margin; (members,) each, NaN = not scored. horizons: days that a task looks on.
    member_factors, product_factors: NaN rows = none; None = no factors at all.
    """

    folder: Path
    as_of: AsOf
    tables_digest: str
    model_versions: dict[str, str]
    horizons: dict[str, int]
    features: tuple[str, ...]
    text_features: tuple[str, ...]
    categories: tuple[str, ...]
    brands: tuple[str, ...]
    members: Ids
    member_numbers: "np.ndarray"
    member_quantiles: "np.ndarray"
    tag_bits: "np.ndarray"
    traits: Traits
    price_band: dict[str, "np.ndarray"]
    products: Ids
    product_numbers: dict[str, "np.ndarray"]
    product_category: "np.ndarray"
    product_brand: "np.ndarray"
    on_sale: "np.ndarray"
    sellable: "np.ndarray"
    popular: "np.ndarray"
    popular_in: Ragged
    recommend: Ragged
    reasons: "np.ndarray"
    discovery: Ragged
    discovery_reasons: "np.ndarray"
    challenger: Recommended | None
    bought: Ragged
    new_product: Ragged
    repurchase: Ragged
    repurchase_next: "np.ndarray"
    similar: Ragged
    together: Ragged
    facts: Facts
    churn: "np.ndarray"
    churn_quantiles: "np.ndarray"
    churn_base: float
    churn_why: "np.ndarray"
    churn_why_share: "np.ndarray"
    value: dict[str, "np.ndarray"]
    member_factors: "np.ndarray | None"
    product_factors: "np.ndarray | None"
    opted_out: "np.ndarray"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a folder of `write_publication`; `ArtifactError` on anything broken, digests first.

        Whoever opens it first reads all of it; for files that nobody touched since, that is remembered.
        """
        seal = verified(folder)
        found = seal.manifest.get("format")
        if found != FORMAT:
            raise ArtifactError(folder, f"has the format {found}; this version reads {FORMAT}")
        try:
            opened = cls(**_open_parts(seal))
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ArtifactError(folder, f"has a manifest that lacks or spoils {error}") from error
        remember(seal)
        return opened

    @classmethod
    def open_current(cls, root: Path) -> Self:
        """Open the folder that root's pointer names; `MissingError` when there is none yet."""
        folder = current(root)
        if folder is None:
            raise MissingError("publication", "recsys publish")
        return cls.open(folder)

    @property
    def champion(self) -> Recommended:
        """The lists of the model in use."""
        version = self.model_versions.get("recommend")
        return Recommended(version, self.recommend, self.reasons, self.discovery, self.discovery_reasons)

    @property
    def name(self) -> str:
        """The folder's name: as_of and digest."""
        return self.folder.name

    def refused(self, member_id: str) -> bool:
        """Whether the member opted out of personalisation."""
        if not len(self.opted_out):
            return False
        key, keys = id_key(member_id), self.opted_out.data
        at = bisect_left(keys, key)
        return at < len(keys) and keys[at] == key

    def product(self, row: int) -> Product:
        """Describe a product."""
        texts, brand = self.products.texts, int(self.product_brand[row])
        return Product(
            product_id=self.products.text(row),
            name=texts.at("name", row),
            category=self.categories[self.product_category[row]],
            subcategory=texts.at("subcategory", row),
            brand=None if brand < 0 else self.brands[brand],
            price=known(float(self.product_numbers["price"][row])),
        )

    def category_row(self, category: str) -> int | None:
        """Return the row of a category, None when there is none of that name."""
        return _place(self.categories, category)

    def brand_row(self, brand: str) -> int | None:
        """Return the number of a brand, None when there is none of that name."""
        return _place(self.brands, brand)

    def reason(self, position: int) -> Reason:
        """Return the reason of a pair of `recommend`."""
        return REASONS[int(self.reasons[position])]

    def discovery_reason(self, position: int) -> Reason:
        """Return the reason of a pair of `discovery`."""
        return REASONS[int(self.discovery_reasons[position])]

    def churn_reasons(self, row: int) -> tuple[tuple[ChurnReason, float], ...]:
        """Return what moves a member's churn score, and with which share, largest first."""
        codes, shares = self.churn_why[row].tolist(), self.churn_why_share[row].tolist()
        return tuple((_CHURN_REASONS[code], share) for code, share in zip(codes, shares, strict=True) if code >= 0)

    def member_tags(self, row: int) -> tuple[Tag, ...]:
        """Return a member's tags."""
        bits = self.tag_bits.item(row)
        return tuple(tag for place, tag in enumerate(Tag) if bits >> place & 1)

    def tag(self, name: str) -> TagColumn:
        """Return a tag of all members; `RequestError` when there is none of that name."""
        return self.traits.tag(name)

    def segment(self, name: str) -> SegmentColumn:
        """Return a segmentation of all members; `RequestError` when there is none of that name."""
        return self.traits.segment(name)

    def member_attributes(self, row: int) -> dict[str, str]:
        """Return what the mall declares of a member, by name."""
        text = self.members.texts.at("attributes", row)
        return {} if text is None else {str(name): str(value) for name, value in json.loads(text).items()}

    def member_features(self, row: int) -> dict[str, float | str | None]:
        """Return a member's published features by name; None = unknown."""
        numbers = dict(zip(self.features, map(known, self.member_numbers[row].tolist()), strict=True))
        return numbers | {name: self.members.texts.at(f"feature:{name}", row) for name in self.text_features}


REASONS = tuple(Reason)
_TAGS = tuple(Tag)
_CHURN_REASONS = tuple(ChurnReason)


def _place(names: tuple[str, ...], name: str) -> int | None:
    """Return where a name stands among sorted ones, None when it is not there."""
    at = bisect_left(names, name)
    return at if at < len(names) and names[at] == name else None


def known(number: float) -> float | None:
    """None for NaN and infinities, which JSON cannot say; else the number."""
    return number if isfinite(number) else None


def _open_parts(seal: Seal) -> dict[str, Any]:
    folder, manifest = seal.folder, seal.manifest
    if tuple(manifest["reasons"]) != REASONS:
        raise ArtifactError(folder, "has reasons that this version does not know")
    if tuple(manifest["tags"]) != _TAGS:
        raise ArtifactError(folder, "has tags that this version does not know")
    if tuple(manifest["churn_reasons"]) != _CHURN_REASONS:
        raise ArtifactError(folder, "has reasons to leave that this version does not know")
    as_of = AsOf(date.fromisoformat(manifest["as_of"]), manifest["zone"])
    _ = as_of.instant  # a zone that is not known here is met now rather than in an answer
    features = tuple(manifest["features"])
    text_features = tuple(manifest["text_features"])
    categories, brands = tuple(manifest["categories"]), tuple(manifest["brands"])
    member_texts = Texts.open(folder, "members", (*MEMBER_TEXTS, *(f"feature:{name}" for name in text_features)))
    product_texts = Texts.open(folder, "products", PRODUCT_TEXTS)
    m, p = member_texts.rows, product_texts.rows
    if (m, p) != (manifest["members"], manifest["products"]):
        raise ArtifactError(folder, "has other numbers of members or products than its manifest says")
    numbers = {name: open_array(folder, f"product_{name}", (p,)) for name in (*PRODUCT_NUMBERS, *LAUNCH_NUMBERS)}
    on_sale = ~((numbers["launched_day"] > as_of.number) | (numbers["delisted_day"] <= as_of.number))
    factors = manifest["factors"]

    def pairs(name: str, columns: tuple[str, ...], *, other: str, groups: int) -> Ragged:
        others = len(categories) if other == "category" else p
        return Ragged.open(folder, name, other=other, columns=columns, groups=groups, others=others, known=seal.known)

    repurchase = pairs("repurchase", REPURCHASE_NUMBERS, other="category", groups=m)
    nexts = open_rows(folder, "repurchase_next", len(repurchase.other), low=-1, below=len(categories), known=seal.known)

    def recommended(version: str | None, lists: str, discoveries: str) -> Recommended:
        recommend = pairs(lists, ("score", *RECOMMEND_EVIDENCE), other="product", groups=m)
        discovery = pairs(discoveries, ("score",), other="product", groups=m)
        reasons, discovery_reasons = (
            open_rows(folder, f"{name}_reason", len(listed.other), below=len(REASONS), known=seal.known)
            for name, listed in ((lists, recommend), (discoveries, discovery))
        )
        return Recommended(version, recommend, reasons, discovery, discovery_reasons)

    tried = manifest.get("challenger")
    own = recommended(manifest["model_versions"].get("recommend"), "recommend", "discovery")
    member_numbers = open_array(folder, "member_numbers", (m, len(features)))
    bits = open_array(folder, "member_tags", (m,), kind="i")
    columns = {name: member_numbers[:, place] for place, name in enumerate(features)}
    return {
        "folder": folder,
        "as_of": as_of,
        "tables_digest": str(manifest["tables_digest"]),
        "model_versions": dict(manifest["model_versions"]),
        "horizons": {str(task): int(days) for task, days in manifest["horizons"].items()},
        "features": features,
        "text_features": text_features,
        "categories": categories,
        "brands": brands,
        "members": Ids(open_array(folder, "member_keys", (m,), kind="u"), member_texts, "member_id"),
        "member_numbers": member_numbers,
        "member_quantiles": open_array(folder, "member_quantiles", (len(features), FEATURE_QUANTILES)),
        "tag_bits": bits,
        "traits": Traits.open(folder, columns, member_texts, bits),
        "price_band": {name: open_array(folder, f"price_{name}", (m,)) for name in PRICE_BAND},
        "products": Ids(open_array(folder, "product_keys", (p,), kind="u"), product_texts, "product_id"),
        "product_numbers": numbers,
        "product_category": open_rows(folder, "product_category", p, below=len(categories)),
        "product_brand": open_rows(folder, "product_brand", p, low=-1, below=len(brands)),
        "on_sale": on_sale,
        "sellable": on_sale & ~(numbers["stock"] <= 0),
        "popular": open_rows(folder, "popular", p, below=p),
        "popular_in": pairs("popular_in_category", (), other="product", groups=len(categories)),
        "recommend": own.recommend,
        "reasons": own.reasons,
        "discovery": own.discovery,
        "discovery_reasons": own.discovery_reasons,
        "challenger": None if tried is None else recommended(str(tried), *CHALLENGER),
        "bought": pairs("bought", ("days_since",), other="product", groups=m),
        "new_product": pairs("new_product", ("score",), other="product", groups=m),
        "repurchase": repurchase,
        "repurchase_next": nexts,
        "similar": pairs("similar", ("score",), other="product", groups=p),
        "together": pairs("together", ("score",), other="product", groups=p),
        "facts": Facts.open(folder, manifest["facts"], as_of=as_of.number, members=m, products=p, known=seal.known),
        "churn": open_array(folder, "churn_score", (m,)),
        "churn_quantiles": open_array(folder, "churn_quantiles", (CHURN_QUANTILES,)),
        "churn_base": nan if manifest["churn_base"] is None else float(manifest["churn_base"]),
        "churn_why": _whys(seal, m),
        "churn_why_share": open_array(folder, "churn_why_share", (m, CHURN_REASONS)),
        "value": {name: open_array(folder, f"value_{name}", (m,)) for name in VALUE_NUMBERS},
        "member_factors": open_array(folder, "member_factors", (m, factors)) if factors else None,
        "product_factors": open_array(folder, "product_factors", (p, factors)) if factors else None,
        "opted_out": open_array(folder, "opted_out", (None,), kind="u"),
    }


def _whys(seal: Seal, members: int) -> "np.ndarray":
    codes = open_rows(
        seal.folder, "churn_why", members * CHURN_REASONS, low=-1, below=len(_CHURN_REASONS), known=seal.known
    )
    return codes.reshape(members, CHURN_REASONS)
