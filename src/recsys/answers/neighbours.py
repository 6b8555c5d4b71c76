"""Products that belong with one product."""

from recsys.answers.ask import Ask
from recsys.answers.desk import Desk
from recsys.answers.errors import UnknownError
from recsys.answers.recommend import answer_at, nothing
from recsys.answers.shapes import Neighbours, Source


def similar(desk: Desk, product_id: str, *, k: int) -> Neighbours:
    """Products bought in like ways, that can stand in for the product; filled up from its category."""
    return _neighbours(desk, product_id, Source.SIMILAR, k)


def bought_together(desk: Desk, product_id: str, *, k: int) -> Neighbours:
    """Products bought in the same baskets; filled up from its category."""
    return _neighbours(desk, product_id, Source.TOGETHER, k)


def _neighbours(desk: Desk, product_id: str, source: Source, k: int) -> Neighbours:
    if desk.row(product_id) is None:
        raise UnknownError("product_id", f"{product_id!r} is no known product")
    ask = Ask(str(source), k=k, products=(product_id,))
    answer = answer_at(desk, desk.neighbours[source], ask, doings=nothing, now=0.0)
    return Neighbours(product_id, answer.items, answer.fallbacks, answer.as_of, answer.publication)
