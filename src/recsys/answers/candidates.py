"""The sources of an answer: each gives product rows, best first, and can say why a product is among them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np

from recsys.answers.reasons import Evidence, named_category, why, with_product
from recsys.answers.shapes import Source, Why
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_columns import Ragged
from recsys.artifacts.publication_content import Reason
from recsys.artifacts.publication_files import RECOMMEND_EVIDENCE


@dataclass(frozen=True)
class Pool:
    """Candidates of one source.

    rows: (n,) product rows, best first, unique.
    score: position in the pool -> score, comparable within the pool, and reason: position -> why; asked for only when
        the product is shown.
    """

    source: Source
    rows: "np.ndarray"
    score: Callable[[int], float]
    reason: Callable[[int], Why]


@dataclass(frozen=True)
class Asked:
    """What sources may look at: the member's row (None = nothing), products of the request, and categories wanted."""

    member: int | None
    products: tuple[int, ...]
    categories: tuple[int, ...]


def pool(publication: Publication, source: Source, asked: Asked) -> Pool:
    """Return a source's candidates; empty when what it needs is not there."""
    match source:
        case Source.PERSONAL:
            return _personal(publication, asked.member)
        case Source.NEW:
            return _new(publication, asked.member)
        case Source.TOGETHER:
            return _neighbours(publication, source, publication.together, asked.products)
        case Source.SIMILAR:
            return _neighbours(publication, source, publication.similar, asked.products)
        case Source.POPULAR_IN_CATEGORY:
            return _popular_in(publication, asked)
        case Source.POPULAR:
            return _popular(publication, source, publication.popular, Reason.POPULAR)


def recently_bought(publication: Publication, member: int | None, *, days: int) -> set[int]:
    """Products that do not run out and that the member bought in the last days (at most `BOUGHT_DAYS`)."""
    if member is None:
        return set()
    span = publication.bought.span(member)
    recent = publication.bought.columns["days_since"][span] < days
    return set(publication.bought.other[span][recent].tolist())


def _personal(publication: Publication, member: int | None) -> Pool:
    if member is None:
        return _empty(Source.PERSONAL)
    pairs, buyers = publication.recommend, publication.product_numbers["buyers_28"]
    purchase_days, days_since, mean_gap = (pairs.columns[name] for name in RECOMMEND_EVIDENCE)
    span = pairs.span(member)

    def reason(position: int) -> Why:
        at = span.start + position
        row = pairs.other.item(at)
        evidence: Evidence = {
            "purchase_days": _whole(purchase_days, at),
            "days_since": _whole(days_since, at),
            "mean_gap": _whole(mean_gap, at),
            "category": named_category(publication.product(row)),
            "buyers": _whole(buyers, row),
        }
        return why(publication.reason(at), evidence)

    return Pool(Source.PERSONAL, pairs.other[span], _scores(pairs, span), reason)


def _new(publication: Publication, member: int | None) -> Pool:
    if member is None:
        return _empty(Source.NEW)
    pairs = publication.new_product
    span = pairs.span(member)

    def reason(position: int) -> Why:
        product = publication.product(int(pairs.other[span.start + position]))
        return why(Reason.NEW, {"category": named_category(product)})

    return Pool(Source.NEW, pairs.other[span], _scores(pairs, span), reason)


def _neighbours(publication: Publication, source: Source, pairs: Ragged, products: tuple[int, ...]) -> Pool:
    """Neighbours of several products: a product's score is its best one, and that neighbour is named."""
    best: dict[int, tuple[float, int]] = {}
    for product in products:
        span = pairs.span(product)
        for row, score in zip(pairs.other[span].tolist(), pairs.columns["score"][span].tolist(), strict=True):
            if row not in best or score > best[row][0]:
                best[row] = (score, product)
    if not best:
        return _empty(source)
    ordered = sorted(best.items(), key=lambda pair: (-pair[1][0], pair[0]))
    code = Reason.GOES_WITH if source is Source.TOGETHER else Reason.SIMILAR

    def reason(position: int) -> Why:
        return why(code, with_product(publication.product(ordered[position][1][1])))

    rows = np.array([row for row, _ in ordered], dtype=np.int32)
    return Pool(source, rows, lambda position: ordered[position][1][0], reason)


def _popular_in(publication: Publication, asked: Asked) -> Pool:
    near = (int(publication.product_category[row]) for row in asked.products)
    categories = asked.categories or tuple(dict.fromkeys(near))
    if not categories:
        return _empty(Source.POPULAR_IN_CATEGORY)
    rows = np.concatenate([publication.popular_in.other[publication.popular_in.span(row)] for row in categories])
    if len(categories) > 1:
        rows = rows[np.argsort(publication.product_numbers["popularity"][rows], kind="stable")]
    return _popular(publication, Source.POPULAR_IN_CATEGORY, rows, Reason.POPULAR_IN_CATEGORY)


def _popular(publication: Publication, source: Source, rows: "np.ndarray", code: Reason) -> Pool:
    buyers = publication.product_numbers["buyers_28"]

    def reason(position: int) -> Why:
        row = int(rows[position])
        return why(code, {"buyers": _whole(buyers, row), "category": named_category(publication.product(row))})

    return Pool(source, rows, lambda position: float(buyers[rows[position]]), reason)


def _empty(source: Source) -> Pool:
    def reason(position: int) -> Why:
        raise IndexError(position)

    return Pool(source, np.empty(0, dtype=np.int32), float, reason)


def _scores(pairs: Ragged, span: slice) -> Callable[[int], float]:
    column = pairs.columns["score"]
    return lambda position: column.item(span.start + position)


def _whole(column: "np.ndarray", at: int) -> int | None:
    value = column.item(at)
    return round(value) if isfinite(value) else None


def chunks(n: int, size: int = 256) -> Iterator[slice]:
    """Split a range into slices, so that a long list is only looked at as far as needed."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
