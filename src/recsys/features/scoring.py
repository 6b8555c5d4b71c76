"""What every source thinks of the items of some members, and the pairs that they name."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.features.collaborative import (
    Collaborative,
    CollaborativeConfig,
    Tastes,
    drawn,
    learn,
    read_tastes,
)
from recsys.features.level import Level
from recsys.features.mixing import Mix
from recsys.features.next_basket import (
    Pool,
    TifuConfig,
    UpcfConfig,
    alike_weights,
    frequency_vectors,
    neighbour_weights,
    pool_of,
    recent_popularity,
)
from recsys.features.opinion import Opinion, factor_products, factorised, popular
from recsys.features.places import Places, held, places_in
from recsys.features.ranking import Counts, Hashes, hashes, listed
from recsys.features.sources import Source
from recsys.features.stage import Stage
from recsys.features.visits import Codes, Visits, numbers, read_visits

CELLS_AT_ONCE = 6_000_000
"""Cells of a block of members and items, or members of the pool, that are in memory at once."""

READ_AT_ONCE = 2048
"""Members whose visits are read at once, or the members of a block where those are more."""


@dataclass(frozen=True)
class Named:
    """(n,) member and item codes, and the source that named each, by member."""

    members: Codes
    items: Codes
    sources: Codes

    def of(self, members: Codes) -> Self:
        """Take the pairs of some members that follow each other, whose codes ascend."""
        start, end = np.searchsorted(self.members, [members[0], members[-1] + 1])
        return type(self)(self.members[start:end], self.items[start:end], self.sources[start:end])


@dataclass(frozen=True)
class Learnt:
    """What the scores of a level are made of.

    active: (a,) ascending, all members who may be scored.
    item_codes: (m,) ascending, all that may be offered and was ever bought by a member who agrees to personal answers.
    item_ties: (m,) and member_ties: by member code, code 1 first: numbers from the ids alone that break ties.
    times: (m,) member and day pairs of the last 28 days. popular: (m,) places of the items by falling times.
    """

    level: Level
    active: Codes
    item_codes: Codes
    item_ties: Hashes
    member_ties: Hashes
    times: Codes
    popular: Codes
    tifu: TifuConfig
    upcf: UpcfConfig
    pool: Pool
    collaborative: Collaborative

    @property
    def block(self) -> int:
        """Members who are scored at once."""
        return max(1, CELLS_AT_ONCE // max(1, len(self.item_codes), len(self.pool.members)))

    def reads(self, members: Codes) -> Iterator[Codes]:
        """Cut members, whose codes ascend, into whole blocks that are read at once."""
        size = self.block * max(1, READ_AT_ONCE // self.block)
        yield from (members[start : start + size] for start in range(0, len(members), size))


def learn_level(
    stage: Stage,
    of_members: Callable[[Codes], Stage],
    level: Level,
    pool: int,
    tifu: TifuConfig,
    upcf: UpcfConfig,
    collaborative: CollaborativeConfig,
) -> Learnt:
    """Learn a level's factors and neighbours, and draw the pool of members whose baskets speak for others.

    stage: of all members. of_members: opens a stage of some members, by their codes.
    """
    items, ties, times = numbers(stage, _ITEMS.format(name=level.name, code=level.code))
    names = stage.execute("SELECT member_id FROM member_base ORDER BY member_code").fetchnumpy()["member_id"]
    member_ties = hashes(np.asarray(names, dtype=object))
    (active,) = numbers(stage, "SELECT member_code FROM active_member ORDER BY member_code")
    (bought,) = numbers(stage, f"SELECT DISTINCT member_code FROM member_{level.name}_history ORDER BY ALL")
    speakers = drawn(bought, member_ties, pool)
    with closing(of_members(speakers)) as some:
        visits = read_visits(some, level, speakers, items)
    return Learnt(
        level,
        active,
        items,
        ties.astype(np.uint64),
        member_ties,
        times,
        np.lexsort((ties, -times)).astype(np.int64),
        tifu,
        upcf,
        pool_of(speakers, visits, tifu, upcf),
        learn(stage, level, collaborative, member_ties),
    )


def score_members(
    stage: Stage, learnt: Learnt, members: Codes, named: Named, quotas: Mapping[Source, Counts]
) -> pd.DataFrame:
    """Name and score the pairs of some members, whose codes ascend; a pair once, with its first source.

    named: of these members, by member. quotas: how many each source may name that gives scores. Columns: member_code,
    item, source and the scores, all of them numbers.
    """
    visits = read_visits(stage, learnt.level, members, learnt.item_codes)
    tastes = read_tastes(stage, learnt.level, members, learnt.collaborative.item_codes)
    blocks = []
    with threadpool_limits(1, "blas"):
        for start in range(0, len(members), learnt.block):
            block = members[start : start + learnt.block]
            known = (visits.of(start, start + len(block)), tastes.of(start, start + len(block)))
            blocks.append(_score_block(learnt, block, *known, named.of(block), quotas))
    return pd.concat(blocks, ignore_index=True)


@dataclass(frozen=True)
class _Block:
    """What is known of b members before any pair is named; of items by their places among `Learnt.item_codes`.

    own: (b, m) ones where the member ever bought the item; had: these places.
    vectors, recent: (b, m) of TIFU-KNN and UP-CF@r, holding the same cells.
    whole: (b,) what the weights of UP-CF@r add up to, the member's own being 1.
    """

    members: Codes
    own: csr_matrix
    had: Places
    vectors: csr_matrix
    recent: csr_matrix
    whole: "np.ndarray"
    tifu: Opinion
    upcf: Mix
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class _Pairs:
    """Pairs that may be named, by row and item.

    items: (n,) codes. places: (n,) rows among the block's members and columns among `Learnt.item_codes`.
    had: (l,) numbers of the pairs that the members bought, in the order of the cells of `_Block.own`.
    sources: (n,) the first source that named the pair from outside this module, or the number of sources.
    """

    items: Codes
    places: Places
    had: Codes
    sources: Codes

    def of_own(self, cells: csr_matrix) -> "np.ndarray":
        """(n,) cells of a matrix that holds what the members bought; 0 elsewhere."""
        values = np.zeros(len(self.items))
        values[self.had] = cells.data
        return values


def _score_block(
    learnt: Learnt, members: Codes, visits: Visits, tastes: Tastes, named: Named, quotas: Mapping[Source, Counts]
) -> pd.DataFrame:
    block = _block(learnt, members, visits, tastes, quotas)
    pairs = _pairs(learnt, block, named, quotas)
    places, alpha = pairs.places, learnt.tifu.alpha
    near = block.tifu.cells(places).astype(np.float32)
    tifu = np.float32(1 - alpha) * near + alpha * pairs.of_own(block.vectors)
    upcf = block.upcf.cells(places) + pairs.of_own(block.recent) / block.whole[places.rows]
    scores = {Source.TIFU: tifu.astype(np.float32), Source.UPCF: upcf.astype(np.float32)}
    scores |= {opinion.source: opinion.cells(places) for opinion in block.opinions}
    new = pairs.of_own(block.own) == 0
    ties = (learnt.member_ties[members - 1], learnt.item_ties)
    sources = pairs.sources.copy()
    for source, values in scores.items():
        worth = values if source is Source.ALS else np.where(values > 0, values, -np.inf)
        chosen = listed(places, worth, new, quotas[source], ties)
        sources[chosen] = np.minimum(sources[chosen], source)
    als = scores[Source.ALS]
    frame = pd.DataFrame(
        {
            "member_code": members[places.rows],
            "item": pairs.items,
            "source": sources,
            "tifu_score": scores[Source.TIFU].astype(np.float64),
            "tifu_near": near.astype(np.float64),
            "tifu_share": pairs.of_own(_shared(block.vectors)),
            "upcf_score": scores[Source.UPCF].astype(np.float64),
            "neighbour_score": scores[Source.NEIGHBOUR],
            "bm25_score": scores[Source.BM25],
            "als_score": np.where(np.isneginf(als), np.nan, als),
        }
    )
    return frame[sources < len(Source)]


def _block(learnt: Learnt, members: Codes, visits: Visits, tastes: Tastes, quotas: Mapping[Source, Counts]) -> _Block:
    pool, own, vectors = learnt.pool, visits.bought(), frequency_vectors(visits, learnt.tifu)
    near = neighbour_weights(vectors, members, pool, learnt.tifu)
    alike, whole = alike_weights(own, members, pool, learnt.upcf)
    had = held(own)
    factors = np.searchsorted(learnt.item_codes, learnt.collaborative.item_codes)
    return _Block(
        members,
        own,
        had,
        vectors,
        recent_popularity(visits, learnt.upcf),
        whole,
        Opinion(Source.TIFU, (near @ pool.frequency).toarray(), np.arange(own.shape[1]), 0.0),
        Mix.of(pool.popularity, alike, had.columns),
        (
            *factorised(learnt.collaborative, tastes, _als(learnt, members), factors),
            popular(learnt.times, learnt.popular, own, quotas[Source.POPULAR]),
        ),
    )


def _als(learnt: Learnt, members: Codes) -> "np.ndarray":
    """(b, m) products of the factors of members and items, -inf where the member has none.

    A product of factors is rounded by the shape of what is multiplied at once. So members are multiplied together with
    those with whom they would be if all active members were scored, whoever is scored now.
    """
    blocks, number = np.unique(np.searchsorted(learnt.active, members) // learnt.block, return_inverse=True)
    products = np.empty((len(members), len(learnt.collaborative.item_codes)))
    for place, block in enumerate(blocks):
        all_members = learnt.active[block * learnt.block : (block + 1) * learnt.block]
        rows = np.flatnonzero(number == place)
        whole = factor_products(learnt.collaborative, all_members)
        products[rows] = whole[np.searchsorted(all_members, members[rows])]
    return products


def _pairs(learnt: Learnt, block: _Block, named: Named, quotas: Mapping[Source, Counts]) -> _Pairs:
    """Gather what the members bought, what is named from outside, and all that a source may name."""
    found = (
        block.had,
        block.tifu.highest(block.own, quotas[Source.TIFU].reach),
        *block.upcf.highest(block.had, quotas[Source.UPCF].reach),
        *(opinion.highest(block.own, quotas[opinion.source].reach) for opinion in block.opinions),
    )
    rows = (np.searchsorted(block.members, named.members), *(places.rows for places in found))
    codes = (named.items, *(learnt.item_codes[places.columns] for places in found))
    width = 1 + max(int(part.max(initial=0)) for part in codes)
    keys, number = np.unique(np.concatenate(rows) * width + np.concatenate(codes), return_inverse=True)
    row, items = np.divmod(keys, width)
    first = len(named.items)
    sources = np.full(len(items), len(Source))
    np.minimum.at(sources, number[:first], named.sources)
    places = Places(row, places_in(learnt.item_codes, items))
    return _Pairs(items, places, number[first : first + len(block.had.rows)], sources)


def _shared(weights: csr_matrix) -> csr_matrix:
    """Divide each row by its sum."""
    whole = np.asarray(weights.sum(axis=1)).ravel()
    parts = weights.copy()
    parts.data = parts.data / np.repeat(whole, np.diff(parts.indptr))
    return parts


_ITEMS = """
    SELECT offer.{code}, tie, times_28d
    FROM {name}_offer AS offer JOIN {name}_popularity AS popularity ON popularity.{code} = offer.{code}
    WHERE offer.{code} IN (SELECT {code} FROM member_{name}_history)
    ORDER BY offer.{code}
"""
