"""What members' purchases say together: matrix factors, and which items go with which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight
from pydantic import Field
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.core.config import Settings
from recsys.features.level import Level
from recsys.features.ranking import Hashes
from recsys.features.stage import Stage
from recsys.features.visits import Codes, numbers

READ_AT_ONCE = 100_000
"""Members whose purchases are read at once."""

DAYS = 1_000_000
"""More than any day number: members and days are one number, the member's first."""


class CollaborativeConfig(Settings):
    """How purchases are factorised and neighbours found.

    items: those with most buyers in a year that take part, which bounds the cost whatever the assortment.
    members: those whose purchases tell which items go together, drawn by a hash of their ids when there are more, which
        bounds the cost whatever the membership; the factorisation is of everybody.
    min_buyers: members who must have bought an item within a year for it to take part.
    factors, iterations, regularization, seed: of the ALS factorisation.
    neighbours: nearest items kept for each item and kind.
    shrink: buyers (or baskets) added to each item when a similarity is normalised, which holds back rare pairs.
    bm25_neighbours, k1, b: of BM25: nearest items, saturation of repeated purchases, weight of an item's length.
    threads: processor cores; results do not depend on it.
    """

    items: int = Field(default=5000, ge=1)
    members: int = Field(default=50_000, ge=1)
    min_buyers: int = Field(default=3, ge=1)
    factors: int = Field(default=16, ge=1, le=512)
    iterations: int = Field(default=8, ge=1, le=100)
    regularization: float = Field(default=0.05, ge=0)
    neighbours: int = Field(default=20, ge=1, le=1000)
    shrink: float = Field(default=10.0, ge=0)
    bm25_neighbours: int = Field(default=100, ge=1)
    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    seed: int = Field(default=7, ge=0)
    threads: int = Field(default=2, ge=1)


@dataclass(frozen=True)
class Factors:
    """ALS factors; a member's taste for a product is the product of their rows.

    member_ids, product_ids: (n,) and (m,) text, unique.
    member_factors, product_factors: (n, f) and (m, f) float32.
    """

    member_ids: "np.ndarray"
    product_ids: "np.ndarray"
    member_factors: "np.ndarray"
    product_factors: "np.ndarray"


@dataclass(frozen=True)
class Collaborative:
    """What was learnt from the last year's purchases of members who agree to personal answers.

    member_codes, item_codes: (n,) and (m,) ascending, the rows and columns of everything below.
    member_factors, item_factors: (n, f) and (m, f) float32.
    similar: (m, m) at most `neighbours` a row, without the item itself: shrunk cosine of items over the members who
        bought them.
    alike: (m, m) at most `bm25_neighbours` a row, without the item itself: BM25 similarity over the members.
    """

    member_codes: Codes
    item_codes: Codes
    member_factors: "np.ndarray"
    item_factors: "np.ndarray"
    similar: csr_matrix
    alike: csr_matrix


@dataclass(frozen=True)
class Tastes:
    """What some members bought of the factorised items within the last year.

    weights: (n, m) history_score of each member and item. days: (n, m) purchase days.
    """

    weights: csr_matrix
    days: csr_matrix

    def of(self, start: int, end: int) -> Self:
        """Take the members whose places lie in [start, end)."""
        return type(self)(self.weights[start:end], self.days[start:end])


def learn(stage: Stage, level: Level, config: CollaborativeConfig, member_ties: Hashes) -> Collaborative:
    """Learn from a level's history; with nothing to learn from, all shapes are 0.

    member_ties: (n,) by member code, code 1 first: whom a draw takes first.
    """
    wanted = {"min_buyers": config.min_buyers, "items": config.items, "name": level.name, "code": level.code}
    (items,) = numbers(stage, _ITEMS.format(**wanted))
    members, days = _bought(stage, level, items, len(member_ties))
    if not days.nnz:
        empty = np.zeros((0, config.factors), dtype=np.float32)
        none = csr_matrix((len(items), len(items)), dtype=np.float64)
        factors = np.zeros((len(items), config.factors), dtype=np.float32)
        return Collaborative(members, items, empty, factors, none, none)
    told = days[np.isin(members, drawn(members, member_ties, config.members))].astype(np.float64)
    with threadpool_limits(1, "blas"):
        member_factors, item_factors = _factorise(days, config)
    ones = csr_matrix((np.ones(told.nnz), told.indices, told.indptr), shape=told.shape)
    return Collaborative(members, items, member_factors, item_factors, _nearest(ones, config), _alike(told, config))


def drawn(members: Codes, ties: Hashes, count: int) -> Codes:
    """(d,) at most so many of the members, drawn by what breaks their ties; ties: by member code, code 1 first."""
    return members[np.argsort(ties[members - 1], kind="stable")][:count]


def read_tastes(stage: Stage, level: Level, members: Codes, items: Codes) -> Tastes:
    """Read what members, whose codes ascend, bought of items, whose codes ascend."""
    shape = (len(members), len(items))
    if not len(members):
        return Tastes(csr_matrix(shape), csr_matrix(shape))
    inside = f"member_code BETWEEN {members[0]} AND {members[-1]}"
    member, item, score, times = numbers(
        stage, _HISTORY.format(name=level.name, code=level.code, columns="score, days_365d", inside=inside)
    )
    kept = np.isin(item, items) & np.isin(member, members)
    places = (np.searchsorted(members, member[kept]), np.searchsorted(items, item[kept]))
    weights, days = (csr_matrix((values[kept].astype(np.float64), places), shape=shape) for values in (score, times))
    return Tastes(weights, days)


def together(stage: Stage, items: Codes, config: CollaborativeConfig, member_ties: Hashes) -> csr_matrix:
    """(m, m) at most `neighbours` a row, without the product itself: shrunk cosine over the baskets that held it.

    items: (m,) codes of products, ascending. member_ties: as `learn`.
    """
    (members,) = numbers(stage, "SELECT DISTINCT member_code FROM product_basket_line ORDER BY ALL")
    tell = drawn(members, member_ties, config.members)
    parts = []
    for inside in _portions(len(member_ties)):
        member, day, item = numbers(stage, _BASKETS.format(inside=inside))
        kept = np.isin(item, items) & np.isin(member, tell)
        parts.append((member[kept] * DAYS + day[kept], np.searchsorted(items, item[kept])))
    lines, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    baskets, rows = np.unique(lines, return_inverse=True)
    if not len(rows):
        return csr_matrix((len(items), len(items)), dtype=np.float64)
    return _nearest(csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(baskets), len(items))), config)


def neighbour_frame(item_codes: Codes, kinds: Mapping[str, csr_matrix], ids: "np.ndarray") -> pd.DataFrame:
    """List neighbours as product_id, neighbour_id, score, kind and rank, 1 = the nearest.

    item_codes: (m,) of the (m, m) similarities of each kind. ids: (p,) text, the id of each product code, code 1 first.
    """
    parts = []
    for kind, similarity in kinds.items():
        pairs = similarity.tocoo()
        order = np.lexsort((pairs.col, -pairs.data, pairs.row))
        rows, columns = pairs.row[order], pairs.col[order]
        first = np.searchsorted(rows, rows, side="left")
        parts.append(
            pd.DataFrame(
                {
                    "product_id": ids[item_codes[rows] - 1],
                    "neighbour_id": ids[item_codes[columns] - 1],
                    "score": pairs.data[order],
                    "kind": kind,
                    "rank": np.arange(len(rows)) - first + 1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _bought(stage: Stage, level: Level, items: Codes, members: int) -> tuple[Codes, csr_matrix]:
    """(n,) members who bought one of the items within the year, and (n, m) on how many days, in single precision.

    members: how many have a code. They are read in portions, as each number is read in eight bytes and kept in four.
    """
    known, lengths, columns, cells = [], [], [], []
    for inside in _portions(members):
        member, item, times = numbers(
            stage, _HISTORY.format(name=level.name, code=level.code, columns="days_365d", inside=inside)
        )
        kept = np.isin(item, items)
        some, length = np.unique(member[kept], return_counts=True)
        known.append(some)
        lengths.append(length)
        columns.append(np.searchsorted(items, item[kept]).astype(np.int32))
        cells.append(times[kept].astype(np.float32))
    codes = np.concatenate(known)
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    days = csr_matrix((np.concatenate(cells), np.concatenate(columns), starts), shape=(len(codes), len(items)))
    return codes, days


def _portions(members: int) -> Iterator[str]:
    """Cut the member codes into portions, one of them at least; in SQL conditions."""
    for start in range(0, max(members, 1), READ_AT_ONCE):
        yield f"member_code BETWEEN {start + 1} AND {start + READ_AT_ONCE}"


def _factorise(days: csr_matrix, config: CollaborativeConfig) -> tuple["np.ndarray", "np.ndarray"]:
    """Factorise confidences 1 + log(1 + purchase days), which take the place of the days: there are gigabytes of them.

    Rows are solved one by one, so threads change nothing.
    """
    np.log1p(days.data, out=days.data)
    days.data += 1
    model = AlternatingLeastSquares(
        factors=config.factors,
        regularization=config.regularization,
        iterations=config.iterations,
        random_state=config.seed,
        num_threads=config.threads,
    )
    model.fit(days, show_progress=False)
    return model.user_factors, model.item_factors


def _nearest(bought: csr_matrix, config: CollaborativeConfig) -> csr_matrix:
    """Keep the most similar items of each; bought: (b, m) ones where basket or member b holds item m."""
    sizes = np.asarray(bought.sum(axis=0)).ravel()
    scaled = bought.copy()
    scaled.data = scaled.data / np.sqrt(sizes[scaled.indices] + config.shrink)
    model = ItemItemRecommender(K=config.neighbours + 1, num_threads=config.threads)
    model.fit(scaled, show_progress=False)
    return _others(model.similarity)


def _alike(days: csr_matrix, config: CollaborativeConfig) -> csr_matrix:
    """Keep the items most alike by BM25, where an item is a document and the members who bought it are its terms.

    Source: Robertson, Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009; as `implicit` has it.
    """
    model = ItemItemRecommender(K=config.bm25_neighbours + 1, num_threads=config.threads)
    model.fit(csr_matrix(bm25_weight(days.T, config.k1, config.b).T), show_progress=False)
    return _others(model.similarity)


def _others(similarity: csr_matrix) -> csr_matrix:
    pairs = similarity.tocoo()
    kept = (pairs.row != pairs.col) & (pairs.data > 0)
    return csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)


_ITEMS = """
    SELECT code FROM (
        SELECT history.{code} AS code, any_value(tie) AS tie, count(*) AS buyers
        FROM member_{name}_history AS history
        JOIN {name}_offer AS offer ON offer.{code} = history.{code}
        WHERE days_365d > 0
        GROUP BY history.{code} HAVING count(*) >= {min_buyers}
        ORDER BY buyers DESC, tie LIMIT {items}
    )
    ORDER BY code
"""

_HISTORY = """
    SELECT member_code, {code}, {columns}
    FROM member_{name}_history WHERE days_365d > 0 AND {inside} ORDER BY ALL
"""

_BASKETS = "SELECT member_code, day, product_code FROM product_basket_line WHERE {inside} ORDER BY ALL"
