"""The caller's own list of products, put in a member's order."""

import numpy as np

from recsys.answers.errors import UnknownError
from recsys.answers.member import asker
from recsys.answers.shapes import Ranked, Ranking, Rule
from recsys.artifacts.publication import Publication, known
from recsys.core.errors import RequestError


def rank(publication: Publication, member_id: str | None, products: tuple[str, ...], *, personalised: bool) -> Ranking:
    """Order every product of the list.

    Products of the member's published list come first, by its score: the list holds the best of all candidates, so what
    is not in it ranks behind. Then by the dot product of factors where both have them, then by popularity. Ties keep
    the caller's order. `UnknownError` names the first product that is not known, `RequestError` one that comes twice.
    """
    rows = product_rows(publication, products)
    who = asker(publication, member_id, personalised=personalised)
    published = _published(publication, who.row)
    factors = _factor_scores(publication, who.row, rows)
    popularity, buyers = (publication.product_numbers[name][rows] for name in ("popularity", "buyers_28"))
    placed: list[tuple[tuple[int, float], str, float | None, Rule]] = []
    for at, (product_id, row) in enumerate(zip(products, rows.tolist(), strict=True)):
        if row in published:
            placed.append(((0, -published[row]), product_id, published[row], Rule.PUBLISHED))
        elif np.isfinite(factors[at]):
            placed.append(((1, -factors[at]), product_id, float(factors[at]), Rule.FACTORS))
        else:
            placed.append(((2, popularity[at]), product_id, known(float(buyers[at])), Rule.POPULARITY))
    placed.sort(key=lambda entry: entry[0])
    return Ranking(
        member_id=member_id,
        standing=who.standing,
        items=tuple(Ranked(product_id, at, score, rule) for at, (_, product_id, score, rule) in enumerate(placed, 1)),
        as_of=str(publication.as_of),
        publication=publication.name,
        model_version=publication.model_versions.get("recommend"),
    )


def product_rows(publication: Publication, products: tuple[str, ...]) -> "np.ndarray":
    """(n,) rows of products; `UnknownError` and `RequestError` as `rank` says."""
    seen: dict[str, int] = {}
    for at, product_id in enumerate(products):
        row = publication.products.row(product_id)
        if row is None:
            raise UnknownError(f"products.{at}", f"{product_id!r} is no known product")
        if product_id in seen:
            raise RequestError(f"products.{at}", f"{product_id!r} comes twice")
        seen[product_id] = row
    return np.fromiter(seen.values(), dtype=np.int64, count=len(seen))


def _published(publication: Publication, member: int | None) -> dict[int, float]:
    if member is None:
        return {}
    span = publication.recommend.span(member)
    scores = publication.recommend.columns["score"][span].tolist()
    return dict(zip(publication.recommend.other[span].tolist(), scores, strict=True))


def _factor_scores(publication: Publication, member: int | None, rows: "np.ndarray") -> "np.ndarray":
    """(n,) dot products, NaN where the member or the product has no factors."""
    if member is None or publication.member_factors is None or publication.product_factors is None:
        return np.full(len(rows), np.nan)
    return np.asarray(publication.product_factors[rows] @ publication.member_factors[member])
