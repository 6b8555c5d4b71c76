"""Items for a member or a visitor at a placement, as an object or, for the hot path, as JSON at once."""

from dataclasses import dataclass

import orjson

from recsys.answers.ask import Ask
from recsys.answers.desk import Deal, Desk, about
from recsys.answers.filling import Pick, fill
from recsys.answers.identity import prefix
from recsys.answers.reasons import why
from recsys.answers.shapes import Fallback, Item, Recommendation, Route, Source, Standing
from recsys.answers.visit import Fetch, Visit, visit
from recsys.store.live import NOTHING, Doings


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as JSON, and what is counted of it.

    items: how many there are.
    """

    body: bytes
    placement: str
    variant: str
    route: Route
    standing: Standing
    fallbacks: tuple[Fallback, ...]
    items: int


def nothing() -> Doings:
    """Return that nothing was done lately."""
    return NOTHING


def recommend(desk: Desk, ask: Ask, *, doings: Fetch = nothing, now: float) -> Recommendation:
    """Answer with at most k items.

    There is at least one as long as any product can be sold that neither the request excludes, nor the cart holds, nor
    the placement's own lists keep out.
    doings: gives what the member or visitor did lately, None when it cannot be told; called once, and not at all when
        no history may be looked at.
    now: UTC seconds.
    """
    return answer_at(desk, desk.deal(ask.placement), ask, doings=doings, now=now)


def answer_at(desk: Desk, deal: Deal, ask: Ask, *, doings: Fetch, now: float) -> Recommendation:
    """Answer from a deal that is at hand."""
    seen = visit(desk, deal, ask, doings, now)
    picks, fallbacks = fill(desk, seen)
    no_products, no_categories, no_brands, no_answers = seen.ignored
    publication = desk.publication
    return Recommendation(
        recommendation_id=prefix() + seen.rules.identity,
        placement=ask.placement,
        variant=seen.rules.variant,
        member_id=ask.member_id,
        standing=seen.standing,
        route=_route(picks),
        fallbacks=tuple(fallbacks),
        items=tuple(_item(desk, pick) for pick in picks),
        ignored_products=no_products,
        ignored_categories=no_categories,
        ignored_brands=no_brands,
        ignored_answers=no_answers,
        as_of=str(publication.as_of),
        publication=publication.name,
        model_version=seen.own.version,
    )


def recommend_json(desk: Desk, ask: Ask, *, doings: Fetch = nothing, now: float) -> Answered:
    """Answer as `recommend` does, in JSON put together from parts that were encoded before."""
    seen = visit(desk, desk.deal(ask.placement), ask, doings, now)
    picks, fallbacks = fill(desk, seen)
    route, told = _route(picks), tuple(fallbacks)
    body = b"".join(
        (
            b'{"recommendation_id":"',
            (prefix() + seen.rules.identity).encode(),
            b'","placement":',
            orjson.dumps(ask.placement),
            b',"variant":"',
            seen.rules.variant.encode(),
            b'","member_id":',
            orjson.dumps(ask.member_id),
            b',"standing":"',
            seen.standing.encode(),
            b'","route":"',
            route.encode(),
            b'","fallbacks":',
            orjson.dumps(told) if told else b"[]",
            b',"items":[',
            b",".join([_item_json(desk, pick) for pick in picks]),
            b"]," + _about(desk, seen),
        )
    )
    return Answered(body, ask.placement, seen.rules.variant, route, seen.standing, told, len(picks))


def _item(desk: Desk, pick: Pick) -> Item:
    row, source, rank = pick
    product = desk.publication.product(row)
    return Item(
        product_id=product.product_id,
        name=product.name,
        category=product.category,
        subcategory=product.subcategory,
        brand=product.brand,
        price=product.price,
        score=source.score(rank, row),
        source=source.source,
        reason=why(source.telling(rank, row)),
    )


def _item_json(desk: Desk, pick: Pick) -> bytes:
    row, source, rank = pick
    return b'%b,"score":%b,"source":"%b","reason":%b}' % (
        desk.fragment(row),
        orjson.dumps(source.score(rank, row)),
        source.source.encode(),
        desk.told(source.telling(rank, row)),
    )


def _about(desk: Desk, seen: Visit) -> bytes:
    """Return the end of an answer, behind the items, with its last brace."""
    if not any(seen.ignored):
        return desk.about[seen.policy.model]
    return about(desk.publication, seen.ignored, seen.own.version)


def _route(picks: list[Pick]) -> Route:
    sources = [source.source for _, source, _ in picks]
    for route, needed in _ROUTES:
        for source in needed:
            if source in sources:
                return route
    return Route.COLD


_ROUTES = (
    (Route.HOT, (Source.LIVE,)),
    (Route.WARM, (Source.PERSONAL, Source.DISCOVERY, Source.NEW)),
    (Route.CONTEXT, (Source.TOGETHER, Source.SIMILAR)),
    (Route.DECLARED, (Source.DECLARED,)),
)
