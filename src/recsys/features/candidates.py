"""Which products each active member is offered: own ones, their neighbours, by matrix factors, popular ones, launches.

Every pair carries the scores of all sources, whichever named it.
"""

from dataclasses import dataclass
from enum import IntEnum

import duckdb
import numpy as np
import pandas as pd
from pydantic import Field
from threadpoolctl import threadpool_limits

from recsys.core.config import Settings
from recsys.features.collaborative import Codes, Collaborative, CollaborativeConfig, numbers
from recsys.features.expression import AS_OF, Relation, within
from recsys.features.facts import ACTIVE_DAYS

CELLS_AT_ONCE = 6_000_000

# score: frequency that fades with age, in whole points, as every purchase day weighs 8, 4, 2 or 1.
MEMBER_PRODUCT_HISTORY = Relation(
    "member_product_history",
    f"""
    SELECT bought.member_code, product_code, max(day) AS last_day,
           sum(CASE WHEN day >= {AS_OF} - 28 THEN 8 WHEN day >= {AS_OF} - 84 THEN 4
                    WHEN day >= {AS_OF} - 182 THEN 2 ELSE 1 END) AS score,
           count(CASE WHEN day >= {AS_OF} - 365 THEN 1 END) AS days_365d
    FROM member_product_day AS bought
    JOIN member_spine ON member_spine.member_code = bought.member_code
    GROUP BY bought.member_code, product_code
    """,
)

ACTIVE_MEMBER = Relation(
    "active_member",
    f"""
    SELECT member_spine.member_code
    FROM member_spine JOIN member_day ON member_day.member_code = member_spine.member_code
    GROUP BY member_spine.member_code HAVING max(day) >= {AS_OF} - {ACTIVE_DAYS}
    """,
)

# What lay in one basket: a member's purchases of one day within the last year.
BASKET_LINE = Relation(
    "basket_line",
    f"""
    SELECT CAST(bought.member_code AS BIGINT) * 1000000 + day AS basket, product_code
    FROM member_product_day AS bought
    JOIN member_spine ON member_spine.member_code = bought.member_code
    WHERE {within(365)}
    """,
)

SOURCES = (MEMBER_PRODUCT_HISTORY, ACTIVE_MEMBER, BASKET_LINE)


class Source(IntEnum):
    """What may name a pair; a pair that several name carries the first one."""

    HISTORY = 0
    NEIGHBOUR = 1
    ALS = 2
    POPULAR = 3
    LAUNCH = 4


class CandidateConfig(Settings):
    """How many products each source may name for a member.

    history: own products with the highest history_score.
    neighbour, als: products not bought within a year, by neighbour_score and als_score.
    popular: products with most buyers in 28 days.
    """

    history: int = Field(default=85, ge=0)
    neighbour: int = Field(default=8, ge=0)
    als: int = Field(default=6, ge=0)
    popular: int = Field(default=10, ge=0)
    collaborative: CollaborativeConfig = CollaborativeConfig()


@dataclass(frozen=True)
class _Pairs:
    """(n,) member and product codes, and the source that named each."""

    members: Codes
    products: Codes
    sources: "np.ndarray"


def stage_candidates(connection: duckdb.DuckDBPyConnection, learnt: Collaborative, config: CandidateConfig) -> None:
    """Create the relation `candidate`, one row a pair, from the relations of SOURCES and those before them.

    Columns: member_code, product_code, is_candidate, is_launch (0 or 1), candidate_source, history_score,
    neighbour_score (0 = no neighbour bought) and als_score (null = outside the factorisation).
    """
    named = _named(connection, config)
    (active,) = numbers(connection, _ACTIVE)
    size = max(1, CELLS_AT_ONCE // max(1, len(learnt.product_codes)))
    parts = [_score(learnt, active[start : start + size], named, config) for start in range(0, len(active), size)]
    scored = pd.concat(parts, ignore_index=True) if parts else _score(learnt, active, named, config)
    connection.register("scored", scored)
    connection.execute(_CANDIDATE)
    connection.unregister("scored")


def _named(connection: duckdb.DuckDBPyConnection, config: CandidateConfig) -> _Pairs:
    """Pairs that SQL names: history, popular and launches, ordered by member."""
    sql = _NAMED.format(history=config.history, popular=config.popular)
    return _Pairs(*numbers(connection, sql))


def _score(learnt: Collaborative, members: Codes, named: _Pairs, config: CandidateConfig) -> pd.DataFrame:
    """Name and score the pairs of some members, whose codes ascend."""
    known = np.isin(members, learnt.member_codes)
    rows = np.flatnonzero(known)
    places = np.searchsorted(learnt.member_codes, members[rows])
    shape = (len(members), len(learnt.product_codes))
    als, near = np.full(shape, np.nan, dtype=np.float32), np.zeros(shape)
    by_als, by_near = np.full(shape, -np.inf, dtype=np.float32), near
    if len(rows) and len(learnt.product_codes):
        weights = learnt.weights[places]
        with threadpool_limits(1, "blas"):
            als[rows] = learnt.member_factors[places] @ learnt.product_factors.T
        near[rows] = (weights @ learnt.similar).toarray() / np.asarray(weights.sum(axis=1))
        own = (np.repeat(rows, np.diff(weights.indptr)), weights.indices)
        by_als[rows], by_near = als[rows], near.copy()
        by_als[own], by_near[own] = -np.inf, 0
    inside = np.isin(named.members, members)
    pairs = _distinct(
        _Pairs(np.searchsorted(members, named.members[inside]), named.products[inside], named.sources[inside]),
        _best(by_near, config.neighbour, Source.NEIGHBOUR, learnt.product_codes),
        _best(by_als, config.als, Source.ALS, learnt.product_codes),
    )
    column = np.searchsorted(learnt.product_codes, pairs.products)
    column[column == len(learnt.product_codes)] = 0
    within = (
        learnt.product_codes[column] == pairs.products if len(learnt.product_codes) else np.zeros(len(column), bool)
    )
    at = (pairs.members[within], column[within])
    als_score, neighbour_score = np.full(len(column), np.nan), np.zeros(len(column))
    als_score[within], neighbour_score[within] = als[at], near[at]
    return pd.DataFrame(
        {
            "member_code": members[pairs.members],
            "product_code": pairs.products,
            "source": pairs.sources,
            "als_score": als_score,
            "neighbour_score": neighbour_score,
        }
    )


def _best(scores: "np.ndarray", count: int, source: Source, product_codes: Codes) -> _Pairs:
    """Take up to count products with the highest scores of each row; 0 and -inf are never taken when they mean none."""
    count = min(count, scores.shape[1])
    if not count:
        none = np.empty(0, dtype=np.int64)
        return _Pairs(none, none, none)
    columns = np.argpartition(scores, scores.shape[1] - count, axis=1)[:, -count:]
    rows = np.repeat(np.arange(len(scores)), count)
    columns = columns.ravel()
    kept = scores[rows, columns] > (0 if source is Source.NEIGHBOUR else -np.inf)
    return _Pairs(rows[kept], product_codes[columns[kept]], np.full(int(kept.sum()), source, dtype=np.int64))


def _distinct(*parts: _Pairs) -> _Pairs:
    """Each pair once, with its first source, ordered by member and product."""
    members = np.concatenate([part.members for part in parts])
    products = np.concatenate([part.products for part in parts])
    sources = np.concatenate([part.sources for part in parts])
    order = np.lexsort((sources, products, members))
    members, products, sources = members[order], products[order], sources[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (members[1:] != members[:-1]) | (products[1:] != products[:-1])
    return _Pairs(members[first], products[first], sources[first])


_ACTIVE = "SELECT member_code FROM active_member ORDER BY member_code"

_NAMED = f"""
    WITH offered AS (SELECT product_code FROM product_base WHERE is_delisted = 0),
    own AS (
        SELECT history.member_code, history.product_code,
               row_number() OVER (
                   PARTITION BY history.member_code ORDER BY score DESC, last_day DESC, history.product_code
               ) AS place
        FROM member_product_history AS history
        JOIN active_member ON active_member.member_code = history.member_code
        JOIN offered ON offered.product_code = history.product_code
    ),
    popular AS (
        SELECT popularity.product_code,
               row_number() OVER (ORDER BY buyers_28d DESC, popularity.product_code) AS place
        FROM product_popularity AS popularity JOIN offered ON offered.product_code = popularity.product_code
        WHERE buyers_28d > 0
    )
    SELECT member_code, product_code, {Source.HISTORY} AS source FROM own WHERE place <= {{history}}
    UNION ALL
    SELECT member_code, product_code, {Source.POPULAR} FROM active_member CROSS JOIN popular WHERE place <= {{popular}}
    UNION ALL
    SELECT member_code, product_code, {Source.LAUNCH}
    FROM active_member CROSS JOIN product_base AS base
    WHERE is_launch = 1 AND is_delisted = 0 AND NOT EXISTS (
        SELECT 1 FROM member_product_history AS history
        WHERE history.member_code = active_member.member_code AND history.product_code = base.product_code
    )
"""

_CANDIDATE = f"""
    CREATE TEMP TABLE candidate AS
    SELECT CAST(scored.member_code AS INTEGER) AS member_code, CAST(scored.product_code AS INTEGER) AS product_code,
           CASE WHEN source = {Source.LAUNCH} THEN 0 ELSE 1 END AS is_candidate,
           CASE WHEN is_launch = 1 AND history.score IS NULL THEN 1 ELSE 0 END AS is_launch,
           CASE source WHEN {Source.HISTORY} THEN 'history' WHEN {Source.NEIGHBOUR} THEN 'neighbour'
                WHEN {Source.ALS} THEN 'als' WHEN {Source.POPULAR} THEN 'popular' ELSE 'launch' END AS candidate_source,
           coalesce(history.score, 0) AS history_score,
           neighbour_score,
           CASE WHEN isnan(als_score) THEN NULL ELSE als_score END AS als_score
    FROM scored
    JOIN product_base ON product_base.product_code = scored.product_code
    LEFT JOIN member_product_history AS history
        ON history.member_code = scored.member_code AND history.product_code = scored.product_code
"""
