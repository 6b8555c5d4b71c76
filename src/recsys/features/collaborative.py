"""What members' purchases say together: matrix factors, and which products go with which."""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender
from pydantic import Field
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.core.config import Settings

Codes = np.ndarray[Any, np.dtype[np.int64]]


class CollaborativeConfig(Settings):
    """How purchases are factorised and neighbours found.

    products: those with most buyers in a year that take part, which bounds the cost whatever the assortment.
    min_buyers: members who must have bought a product within a year for it to take part.
    factors, iterations, regularization, seed: of the ALS factorisation.
    neighbours: nearest products kept for each product and kind.
    shrink: buyers (or baskets) added to each product when a similarity is normalised, which holds back rare pairs.
    threads: processor cores; results do not depend on it.
    """

    products: int = Field(default=5000, ge=1)
    min_buyers: int = Field(default=3, ge=1)
    factors: int = Field(default=32, ge=1, le=512)
    iterations: int = Field(default=4, ge=1, le=100)
    regularization: float = Field(default=0.05, ge=0)
    neighbours: int = Field(default=20, ge=1, le=200)
    shrink: float = Field(default=10.0, ge=0)
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

    member_codes, product_codes: (n,) and (m,) ascending, the rows and columns of everything below.
    member_factors, product_factors: (n, f) and (m, f) float32.
    weights: (n, m) history_score of each member and product.
    similar, together: (m, m) at most `neighbours` a row, without the product itself: shrunk cosine of products over
        the members, and over the purchase days, that bought them.
    """

    member_codes: Codes
    product_codes: Codes
    member_factors: "np.ndarray"
    product_factors: "np.ndarray"
    weights: csr_matrix
    similar: csr_matrix
    together: csr_matrix


def learn(connection: duckdb.DuckDBPyConnection, config: CollaborativeConfig) -> Collaborative:
    """Learn from `member_product_history` and `basket_line`; with nothing to learn from, all shapes are 0."""
    (products,) = numbers(connection, _PRODUCTS.format(min_buyers=config.min_buyers, products=config.products))
    member, product, score, days = numbers(connection, _HISTORY)
    kept = np.isin(product, products)
    members = np.unique(member[kept])
    rows = np.searchsorted(members, member[kept])
    columns = np.searchsorted(products, product[kept])
    shape = (len(members), len(products))
    weights = csr_matrix((score[kept].astype(np.float64), (rows, columns)), shape=shape)
    if not weights.nnz:
        empty = np.zeros((0, config.factors), dtype=np.float32)
        none = csr_matrix((len(products), len(products)), dtype=np.float64)
        factors = np.zeros((len(products), config.factors), dtype=np.float32)
        return Collaborative(members, products, empty, factors, weights, none, none)
    with threadpool_limits(1, "blas"):
        member_factors, product_factors = _factorise(
            csr_matrix((days[kept].astype(np.float32), (rows, columns)), shape=shape), config
        )
    bought = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return Collaborative(
        members,
        products,
        member_factors,
        product_factors,
        weights,
        _nearest(bought, config),
        _nearest(_baskets(connection, products), config),
    )


def numbers(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Codes, ...]:
    """Fetch a query's columns, all whole numbers without nulls, as (n,) arrays."""
    columns = connection.execute(sql).fetchnumpy().values()
    return tuple(np.asarray(column).astype(np.int64) for column in columns)


def neighbour_frame(learnt: Collaborative, product_ids: "np.ndarray") -> pd.DataFrame:
    """List neighbours as product_id, neighbour_id, score, kind ('similar' or 'together') and rank, 1 = the nearest.

    product_ids: (p,) text, the id of each product code, code 1 first.
    """
    parts = []
    for kind, similarity in (("similar", learnt.similar), ("together", learnt.together)):
        pairs = similarity.tocoo()
        order = np.lexsort((pairs.col, -pairs.data, pairs.row))
        rows, columns = pairs.row[order], pairs.col[order]
        first = np.searchsorted(rows, rows, side="left")
        parts.append(
            pd.DataFrame(
                {
                    "product_id": product_ids[learnt.product_codes[rows] - 1],
                    "neighbour_id": product_ids[learnt.product_codes[columns] - 1],
                    "score": pairs.data[order],
                    "kind": kind,
                    "rank": np.arange(len(rows)) - first + 1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _factorise(days: csr_matrix, config: CollaborativeConfig) -> tuple["np.ndarray", "np.ndarray"]:
    """Factorise confidences 1 + log(1 + purchase days); rows are solved one by one, so threads change nothing."""
    confidence = days.copy()
    confidence.data = 1 + np.log1p(confidence.data)
    model = AlternatingLeastSquares(
        factors=config.factors,
        regularization=config.regularization,
        iterations=config.iterations,
        random_state=config.seed,
        num_threads=config.threads,
    )
    model.fit(confidence, show_progress=False)
    return model.user_factors, model.item_factors


def _nearest(bought: csr_matrix, config: CollaborativeConfig) -> csr_matrix:
    """Keep the most similar products of each; bought: (b, m) ones where basket or member b holds product m."""
    sizes = np.asarray(bought.sum(axis=0)).ravel()
    scaled = bought.copy()
    scaled.data = scaled.data / np.sqrt(sizes[scaled.indices] + config.shrink)
    model = ItemItemRecommender(K=config.neighbours + 1, num_threads=config.threads)
    model.fit(scaled, show_progress=False)
    similarity = model.similarity.tocoo()
    kept = (similarity.row != similarity.col) & (similarity.data > 0)
    pairs = (similarity.row[kept], similarity.col[kept])
    return csr_matrix((similarity.data[kept], pairs), shape=similarity.shape)


def _baskets(connection: duckdb.DuckDBPyConnection, products: Codes) -> csr_matrix:
    basket, product = numbers(connection, _BASKETS)
    kept = np.isin(product, products)
    baskets, rows = np.unique(basket[kept], return_inverse=True)
    columns = np.searchsorted(products, product[kept])
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(baskets), len(products)))


_PRODUCTS = """
    SELECT product_code FROM (
        SELECT history.product_code, count(*) AS buyers
        FROM member_product_history AS history
        JOIN product_base ON product_base.product_code = history.product_code
        WHERE is_delisted = 0 AND days_365d > 0
        GROUP BY history.product_code HAVING count(*) >= {min_buyers}
        ORDER BY buyers DESC, history.product_code LIMIT {products}
    )
    ORDER BY product_code
"""

_HISTORY = """
    SELECT member_code, product_code, score, days_365d AS days
    FROM member_product_history WHERE days_365d > 0
"""

_BASKETS = "SELECT basket, product_code FROM basket_line"
