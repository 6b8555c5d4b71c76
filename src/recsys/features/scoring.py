"""What every source thinks of the items of some members: dense scores of a block, and the pairs that they name."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.features.collaborative import Collaborative, CollaborativeConfig, learn
from recsys.features.level import Level
from recsys.features.next_basket import (
    Pool,
    TifuConfig,
    UpcfConfig,
    frequency_vectors,
    neighbour_vectors,
    pool_of,
    user_popularity,
)
from recsys.features.ranking import Counts, Hashes, Places, best, hashes
from recsys.features.sources import Source
from recsys.features.visits import Codes, numbers, read_visits


@dataclass(frozen=True)
class Named:
    """(n,) member and item codes, and the source that named each, by member."""

    members: Codes
    items: Codes
    sources: Codes


@dataclass(frozen=True)
class Learnt:
    """What the scores of a level are made of.

    item_codes: (m,) ascending, all that may be offered and was ever bought by a member who agrees to personal answers.
    item_ties: (m,) and member_ties: by member code, code 1 first: numbers from the ids alone that break ties.
    times: (m,) member and day pairs of the last 28 days.
    """

    level: Level
    item_codes: Codes
    item_ties: Hashes
    member_ties: Hashes
    times: Codes
    tifu: TifuConfig
    upcf: UpcfConfig
    pool: Pool
    collaborative: Collaborative


def learn_level(
    connection: duckdb.DuckDBPyConnection,
    level: Level,
    pool: int,
    tifu: TifuConfig,
    upcf: UpcfConfig,
    collaborative: CollaborativeConfig,
) -> Learnt:
    """Learn a level's factors and neighbours, and draw the pool of members whose baskets speak for others."""
    items, ties, times = numbers(connection, _ITEMS.format(name=level.name, code=level.code))
    names = connection.execute("SELECT member_id FROM member_base ORDER BY member_code").fetchnumpy()["member_id"]
    member_ties = hashes(np.asarray(names, dtype=object))
    (bought,) = numbers(connection, f"SELECT DISTINCT member_code FROM member_{level.name}_history ORDER BY ALL")
    drawn = bought[np.argsort(member_ties[bought - 1], kind="stable")][:pool]
    visits = read_visits(connection, level, drawn, items)
    return Learnt(
        level,
        items,
        ties.astype(np.uint64),
        member_ties,
        times,
        tifu,
        upcf,
        pool_of(drawn, visits, tifu, upcf),
        learn(connection, level, collaborative),
    )


def score_members(
    connection: duckdb.DuckDBPyConnection, learnt: Learnt, members: Codes, named: Named, quotas: Mapping[Source, Counts]
) -> pd.DataFrame:
    """Name and score the pairs of some members, whose codes ascend; a pair once, with its first source.

    quotas: how many each source may name that gives scores. Columns: member_code, item, source and the scores, all of
    them numbers.
    """
    visits = read_visits(connection, learnt.level, members, learnt.item_codes)
    own = visits.bought()
    vectors = frequency_vectors(visits, learnt.tifu)
    near = neighbour_vectors(vectors, members, learnt.pool, learnt.tifu)
    tifu, frequency = (1 - learnt.tifu.alpha) * near, vectors.tocoo()
    tifu[frequency.row, frequency.col] += learnt.tifu.alpha * frequency.data
    upcf = user_popularity(visits, members, learnt.pool, learnt.upcf)
    factorised = _factorised(learnt.collaborative, members)
    inside = np.searchsorted(learnt.item_codes, learnt.collaborative.item_codes)
    ties = (learnt.member_ties[members - 1], learnt.item_ties)

    def name(source: Source, scores: "np.ndarray", columns: Codes, floor: float = 0) -> Named:
        found = best(scores, own[:, columns], quotas[source], (ties[0], ties[1][columns]), floor=floor)
        return _named(found, members, learnt.item_codes[columns], source)

    every = np.arange(len(learnt.item_codes))
    often = _most_often(learnt, own, quotas[Source.POPULAR])
    pairs = _once(
        named,
        name(Source.TIFU, tifu, every),
        name(Source.UPCF, upcf, every),
        *(name(source, scores, inside, floor) for source, scores, floor in factorised.sources()),
        name(
            Source.POPULAR, np.broadcast_to(learnt.times[often].astype(np.float32), (len(members), len(often))), often
        ),
    )
    rows = np.searchsorted(members, pairs.members)
    columns = _places(learnt.item_codes, pairs.items)
    factor_columns = _places(learnt.collaborative.item_codes, pairs.items)
    return pd.DataFrame(
        {
            "member_code": pairs.members,
            "item": pairs.items,
            "source": pairs.sources,
            "tifu_score": _at(tifu, rows, columns, 0.0),
            "tifu_near": _at(near, rows, columns, 0.0),
            "tifu_share": _cells(_shared(vectors), rows, columns),
            "upcf_score": _at(upcf, rows, columns, 0.0),
            "neighbour_score": _at(factorised.near, rows, factor_columns, 0.0),
            "bm25_score": _at(factorised.alike, rows, factor_columns, 0.0),
            "als_score": _at(factorised.als, rows, factor_columns, np.nan),
        }
    )


@dataclass(frozen=True)
class _Factorised:
    """(b, m) scores over the factorised items; als is NaN for members outside."""

    near: "np.ndarray"
    alike: "np.ndarray"
    als: "np.ndarray"

    def sources(self) -> tuple[tuple[Source, "np.ndarray", float], ...]:
        """Return each source with its scores and the number that a score must exceed to name a pair."""
        known = np.where(np.isnan(self.als), -np.inf, self.als)
        return (
            (Source.NEIGHBOUR, self.near, 0.0),
            (Source.BM25, self.alike, 0.0),
            (Source.ALS, known, -np.inf),
        )


def _factorised(learnt: Collaborative, members: Codes) -> _Factorised:
    known = np.isin(members, learnt.member_codes)
    rows = np.flatnonzero(known)
    places = np.searchsorted(learnt.member_codes, members[rows])
    shape = (len(members), len(learnt.item_codes))
    near, alike, als = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    if len(rows) and shape[1]:
        weights, days = learnt.weights[places], learnt.days[places]
        near[rows] = (weights @ learnt.similar).toarray() / np.asarray(weights.sum(axis=1))
        alike[rows] = (days @ learnt.alike).toarray() / np.asarray(days.sum(axis=1))
        with threadpool_limits(1, "blas"):
            als[rows] = learnt.member_factors[places] @ learnt.item_factors.T
    return _Factorised(near, alike, als)


def _most_often(learnt: Learnt, own: csr_matrix, popular: Counts) -> Codes:
    """Places of the items bought most lately: so many that every member is left enough never bought."""
    order = np.lexsort((learnt.item_ties, -learnt.times))
    return order[: max(popular.all, popular.new) + int(np.diff(own.indptr).max(initial=0))].astype(np.int64)


def _named(found: Places, members: Codes, items: Codes, source: Source) -> Named:
    return Named(members[found.rows], items[found.columns], np.full(len(found.rows), source, dtype=np.int64))


def _once(*parts: Named) -> Named:
    """Each pair once, with its first source, ordered by member and item."""
    members = np.concatenate([part.members for part in parts])
    items = np.concatenate([part.items for part in parts])
    sources = np.concatenate([part.sources for part in parts])
    order = np.lexsort((sources, items, members))
    members, items, sources = members[order], items[order], sources[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (members[1:] != members[:-1]) | (items[1:] != items[:-1])
    return Named(members[first], items[first], sources[first])


def _places(codes: Codes, wanted: Codes) -> Codes:
    """(n,) places of wanted codes among ascending ones; -1 where they are not there."""
    found = np.searchsorted(codes, wanted)
    found[found == len(codes)] = 0
    known = codes[found] == wanted if len(codes) else np.zeros(len(wanted), dtype=bool)
    return np.where(known, found, -1)


def _at(scores: "np.ndarray", rows: Codes, columns: Codes, unknown: float) -> "np.ndarray":
    """(n,) cells of a dense matrix; unknown where the column is -1."""
    values = np.full(len(rows), unknown)
    known = columns >= 0
    values[known] = scores[rows[known], columns[known]]
    return values


def _shared(weights: csr_matrix) -> csr_matrix:
    """Divide each row by its sum."""
    whole = np.asarray(weights.sum(axis=1)).ravel()
    parts = weights.copy()
    parts.data = parts.data / np.repeat(whole, np.diff(parts.indptr))
    return parts


def _cells(weights: csr_matrix, rows: Codes, columns: Codes) -> "np.ndarray":
    """(n,) cells of a sparse matrix whose columns ascend in each row; 0 where the column is -1."""
    width = weights.shape[1]
    held = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr)) * width + weights.indices
    found = _places(held, rows * width + columns)
    known = (columns >= 0) & (found >= 0)
    values = np.zeros(len(rows))
    values[known] = weights.data[found[known]]
    return values


_ITEMS = """
    SELECT offer.{code}, tie, times_28d
    FROM {name}_offer AS offer JOIN {name}_popularity AS popularity ON popularity.{code} = offer.{code}
    WHERE offer.{code} IN (SELECT {code} FROM member_{name}_history)
    ORDER BY offer.{code}
"""
