"""The sources of an answer: each gives product rows, best first, and can say why a product is among them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice, zip_longest

from recsys.answers import reasons
from recsys.answers.desk import Desk
from recsys.answers.own import Pairs
from recsys.answers.reasons import Telling, Words
from recsys.answers.rules import Doing
from recsys.answers.shapes import Source
from recsys.answers.visit import Visit, touched, viewed_by_request
from recsys.artifacts.publication import REASONS
from recsys.artifacts.publication_content import Reason
from recsys.artifacts.publication_files import RECOMMEND_EVIDENCE

Rows = Sequence[int] | memoryview
At = Callable[[int, int], float]
Told = Callable[[int, int], Telling]


@dataclass(slots=True, eq=False)
class Pool:
    """Candidates of one source.

    rows: product rows, best first, each once; may be gone through again and again.
    score: rank and row -> score, comparable within the source. telling: rank and row -> why. Both are asked for only
        when the product is shown.
    """

    source: Source
    rows: "Rows | Remembered"
    score: At
    telling: Told

    def first(self, n: int) -> list[int]:
        """Return the best n rows."""
        rows = self.rows
        if isinstance(rows, list):
            return rows if len(rows) <= n else rows[:n]
        return rows[:n].tolist() if isinstance(rows, memoryview) else list(islice(rows, n))


class Remembered:
    """Rows that are worked out as far as somebody looks, and then remembered."""

    def __init__(self, rows: Iterator[int]) -> None:
        self._rows = rows
        self._known: list[int] = []

    def __iter__(self) -> Iterator[int]:
        """Give the rows from the first one on."""
        known, at = self._known, 0
        while True:
            if at == len(known):
                row = next(self._rows, None)
                if row is None:
                    return
                known.append(row)
            yield known[at]
            at += 1


def pool(desk: Desk, visit: Visit, source: Source) -> Pool | None:
    """Return a source's candidates; None when what it needs is not there."""
    return _MAKERS[source](desk, visit)


def nothing_of(source: Source) -> Pool:
    """Return a source that has nothing."""
    return Pool(source, [], lambda _rank, _row: 0.0, lambda _rank, _row: (reasons.ASSORTMENT,))


def pinned(_: Desk) -> Pool:
    """Return the source of what the shop put somewhere."""
    return Pool(Source.PINNED, (), lambda _rank, _row: 0.0, lambda _rank, _row: (reasons.PINNED,))


def _personal(desk: Desk, visit: Visit) -> Pool | None:
    if visit.member is None or not visit.listed:
        return None
    pairs, codes = visit.own.recommend, visit.own.reasons
    columns, start = pairs.columns, pairs.start[visit.member]
    scores, often, since, gap = (columns[name] for name in ("score", *RECOMMEND_EVIDENCE))

    def telling(rank: int, row: int) -> Telling:
        at = start + rank
        code = REASONS[codes[at]]
        if code is Reason.DUE:
            told = reasons.due(often[at], since[at], gap[at])
        elif code is Reason.AGAIN:
            told = reasons.again(often[at], since[at])
        else:
            return _of_code(desk, code, row)
        return told or _sold(desk, row)

    return Pool(Source.PERSONAL, visit.listed, lambda rank, _: scores[start + rank], telling)


def _discovery(desk: Desk, visit: Visit) -> Pool | None:
    if visit.member is None:
        return None
    pairs, codes = visit.own.discovery, visit.own.discovery_reasons
    start = pairs.start[visit.member]
    return _listed(
        Source.DISCOVERY, pairs, visit.member, lambda rank, row: _of_code(desk, REASONS[codes[start + rank]], row)
    )


def _new(desk: Desk, visit: Visit) -> Pool | None:
    member, needs = visit.member, desk.lists.needs
    if member is None:
        return None

    def telling(_: int, row: int) -> Telling:
        return reasons.new(desk.category(row), bought=desk.shelf.category[row] in needs.rows(member))

    return _listed(Source.NEW, desk.lists.new, member, telling)


def _listed(source: Source, pairs: Pairs, member: int, telling: Told) -> Pool | None:
    rows, start, scores = pairs.rows(member), pairs.start[member], pairs.columns["score"]
    return Pool(source, rows.tolist(), lambda rank, _: scores[start + rank], telling) if len(rows) else None


def _together(desk: Desk, visit: Visit) -> Pool | None:
    words = reasons.GOES_WITH_CART if visit.policy.around == "cart" else reasons.GOES_WITH
    return _neighbours(desk, Source.TOGETHER, desk.lists.together, visit.products, words)


def _similar(desk: Desk, visit: Visit) -> Pool | None:
    return _neighbours(desk, Source.SIMILAR, desk.lists.similar, visit.products, reasons.SIMILAR)


def _neighbours(desk: Desk, source: Source, pairs: Pairs, products: tuple[int, ...], words: Words) -> Pool | None:
    """Neighbours of several products: a product's score is its best one, and that neighbour is named."""
    best: dict[int, tuple[float, int]] = {}
    for product in products:
        start, stop = pairs.start[product], pairs.start[product + 1]
        scores = pairs.columns["score"][start:stop].tolist()
        for row, score in zip(pairs.other[start:stop].tolist(), scores, strict=True):
            if row not in best or score > best[row][0]:
                best[row] = (score, product)
    if not best:
        return None
    rows = sorted(best, key=lambda row: (-best[row][0], row))
    return Pool(source, rows, lambda _, row: best[row][0], lambda _, row: (words, *desk.name(best[row][1])))


def _live(desk: Desk, visit: Visit) -> Pool | None:
    """Look at what was done lately, as `policy.Live` says; of two doings that name a product the stronger counts."""
    doings, together, similar = visit.doings, desk.together, desk.similar
    bought, known = dict(doings.bought), viewed_by_request(desk, visit)
    around = (
        [together(row) for row in touched(desk, visit, doings.cart, bought)] if doings.cart else (),
        [similar(row) for row in touched(desk, visit, doings.favourites, bought)] if doings.favourites else (),
        [similar(row) for row in touched(desk, visit, doings.viewed, bought, known)] if doings.viewed or known else (),
    )
    if not any(around):
        return None
    best: dict[int, Doing] = {}
    for doing in visit.rules.live:
        _, kind, age, place = doing
        of_kind = around[kind]
        if age < len(of_kind) and place < len(of_kind[age]):
            row = of_kind[age][place]
            if row not in best:
                best[row] = doing

    def telling(_: int, row: int) -> Telling:
        kind, age, place = best[row][1:]
        return (_LIKE[kind], *desk.name(around[kind][age][0])) if place else (_ITSELF[kind],)

    return Pool(Source.LIVE, list(best), lambda _, row: best[row][0], telling)


_ITSELF = (None, reasons.FAVOURITE, reasons.VIEWED)
_LIKE = (reasons.GOES_WITH_CART, reasons.LIKE_FAVOURITE, reasons.LIKE_VIEWED)


def _declared(desk: Desk, visit: Visit) -> Pool | None:
    """Take what is popular in the categories asked for, one of each in turn."""
    if not visit.wanted:
        return None
    by_category = {wanted[0]: wanted for wanted in visit.wanted}
    turns = zip_longest(*(desk.lists.popular_in.rows(category) for category in by_category))
    rows = (row for row in chain.from_iterable(turns) if row is not None)

    def telling(_: int, row: int) -> Telling:
        category, question, answer = by_category[desk.shelf.category[row]]
        return (reasons.DECLARED, desk.publication.categories[category], question, answer)

    return Pool(Source.DECLARED, Remembered(rows), lambda _, row: desk.shelf.buyers[row], telling)


def _popular_in(desk: Desk, visit: Visit) -> Pool | None:
    """Take what is popular in the categories that the request wants, else in those of the products around the place."""
    category, popularity = desk.shelf.category, desk.shelf.popularity
    categories = visit.categories or tuple(dict.fromkeys(category[row] for row in visit.products))
    if not categories:
        return None
    lists = [desk.lists.popular_in.rows(place) for place in categories]
    rows: Rows | Remembered = lists[0]
    if len(lists) > 1:
        rows = Remembered(merge(*lists, key=popularity.__getitem__))

    def telling(_: int, row: int) -> Telling:
        return reasons.popular_in(desk.category(row), desk.shelf.buyers[row])

    return Pool(Source.POPULAR_IN_CATEGORY, rows, lambda _, row: desk.shelf.buyers[row], telling)


def _popular(desk: Desk, _: Visit) -> Pool:
    return Pool(
        Source.POPULAR, desk.lists.popular, lambda _, row: desk.shelf.buyers[row], lambda _, row: _sold(desk, row)
    )


_MAKERS: dict[Source, Callable[[Desk, Visit], Pool | None]] = {
    Source.LIVE: _live,
    Source.PERSONAL: _personal,
    Source.DISCOVERY: _discovery,
    Source.NEW: _new,
    Source.TOGETHER: _together,
    Source.SIMILAR: _similar,
    Source.DECLARED: _declared,
    Source.POPULAR_IN_CATEGORY: _popular_in,
    Source.POPULAR: _popular,
}


def _of_code(desk: Desk, code: Reason, row: int) -> Telling:
    """Tell a published reason that speaks of no purchase of the product."""
    if code is Reason.IN_CATEGORY:
        return reasons.in_category(desk.category(row)) or _sold(desk, row)
    return (reasons.FOR_YOU,) if code is Reason.FOR_YOU else _sold(desk, row)


def _sold(desk: Desk, row: int) -> Telling:
    return reasons.popular(desk.shelf.buyers[row])
