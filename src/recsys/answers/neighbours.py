"""Products that belong with one product."""

from recsys.answers.errors import UnknownError
from recsys.answers.policy import Placement, Placements, SourceRule
from recsys.answers.recommend import Ask, recommend
from recsys.answers.shapes import Neighbours, Source
from recsys.artifacts.publication import Publication

_PLACEMENTS = Placements(
    placements={
        str(source): Placement(
            title=str(source),
            sources=(SourceRule(name=source),),
            fallback=(Source.POPULAR_IN_CATEGORY, Source.POPULAR),
        )
        for source in (Source.SIMILAR, Source.TOGETHER)
    }
)


def similar(publication: Publication, product_id: str, *, k: int) -> Neighbours:
    """Products bought in like ways, that can stand in for the product; filled up from its category."""
    return _neighbours(publication, product_id, Source.SIMILAR, k)


def bought_together(publication: Publication, product_id: str, *, k: int) -> Neighbours:
    """Products bought in the same baskets; filled up from its category."""
    return _neighbours(publication, product_id, Source.TOGETHER, k)


def _neighbours(publication: Publication, product_id: str, source: Source, k: int) -> Neighbours:
    if publication.products.row(product_id) is None:
        raise UnknownError("product_id", f"{product_id!r} is no known product")
    ask = Ask(str(source), k=k, products=(product_id,))
    answer = recommend(publication, _PLACEMENTS, ask, recommendation_id="")
    return Neighbours(product_id, answer.items, answer.fallbacks, answer.as_of, answer.publication)
