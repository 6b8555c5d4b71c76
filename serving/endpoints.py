"""The endpoints: one entry each, from which routing, validation and the API page are made."""

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime

from recsys.answers.members import CardSettings, member_card
from recsys.answers.neighbours import bought_together, similar
from recsys.answers.policy import Placements
from recsys.answers.rank import rank
from recsys.answers.shapes import MemberCard, Neighbours, Ranking, Recommendation
from recsys.artifacts.publication import Publication
from recsys.store.keys import Role
from serving.audience_endpoints import AUDIENCES
from serving.audience_preview import PREVIEW
from serving.call import Call
from serving.endpoint import Body, Endpoint, example_member
from serving.events_endpoint import take_events
from serving.live_schemas import EventsAnswer, EventsRequest, StockAnswer, StockRequest
from serving.models_endpoints import MODELS
from serving.recommending import recommendation, recommendation_json
from serving.schemas import NeighboursRequest, PredictionsRequest, RankRequest, RecommendRequest
from serving.standing_endpoints import STANDING
from serving.state import State
from serving.stock_endpoint import take_stock
from serving.traits_endpoints import TRAITS

CARD = CardSettings()


def _rank(state: State, request: RankRequest, _: Call) -> Ranking:
    return rank(state.publication, request.member_id, request.products, personalised=request.personalised)


def _similar(state: State, request: NeighboursRequest, _: Call) -> Neighbours:
    return similar(state.desk, request.product_id, k=request.k)


def _bought_together(state: State, request: NeighboursRequest, _: Call) -> Neighbours:
    return bought_together(state.desk, request.product_id, k=request.k)


def _predictions(state: State, _: PredictionsRequest, call: Call) -> MemberCard:
    publication = state.publication
    return member_card(publication, call.item, state.online.read, CARD)


def _events(state: State, request: EventsRequest, _: Call) -> Awaitable[EventsAnswer]:
    return take_events(state.intake, request)


def _stock(state: State, request: StockRequest, _: Call) -> Awaitable[StockAnswer]:
    publication = state.publication if state.ready else None
    return take_stock(
        state.intake,
        request,
        lambda product_id: publication is not None and publication.products.row(product_id) is not None,
    )


def _products(publication: Publication, n: int) -> list[str]:
    return [publication.products.text(row) for row in publication.popular[:n].tolist()]


def _place(publication: Publication, placements: Placements) -> Body:
    return {"placement": next(iter(placements.placements)), "member_id": example_member(publication), "k": 5}


def _product(publication: Publication, _: Placements) -> Body | None:
    products = _products(publication, 1)
    return {"product_id": products[0], "k": 5} if products else None


def _event(publication: Publication, _: Placements) -> Body | None:
    products = _products(publication, 1)
    member_id, now = example_member(publication), datetime.now(UTC)
    view = {"event_id": f"example-{now.timestamp()}", "type": "view", "occurred_at": now.isoformat()}
    return {"events": [{**view, "member_id": member_id, "product_id": products[0]}]} if products and member_id else None


def _level(publication: Publication, _: Placements) -> Body | None:
    products = _products(publication, 1)
    return {"products": [{"product_id": products[0], "stock": 10}]} if products else None


def _members_and_products(publication: Publication, _: Placements) -> Body | None:
    products = _products(publication, 5)
    return {"member_id": example_member(publication), "products": products} if products else None


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "recommend",
        "/recommend",
        "Items for a member at a placement",
        RecommendRequest,
        Recommendation,
        recommendation,
        _place,
        at_once=recommendation_json,
    ),
    Endpoint("rank", "/rank", "Put a list in a member's order", RankRequest, Ranking, _rank, _members_and_products),
    Endpoint(
        "similar",
        "/similar",
        "Products that can stand in for a product",
        NeighboursRequest,
        Neighbours,
        _similar,
        _product,
    ),
    Endpoint(
        "bought_together",
        "/bought-together",
        "Products bought with a product",
        NeighboursRequest,
        Neighbours,
        _bought_together,
        _product,
    ),
    Endpoint(
        "predictions",
        "/members/{member_id}/predictions",
        "Everything predicted about one member",
        PredictionsRequest,
        MemberCard,
        _predictions,
        lambda _, __: {},
        role=Role.OPS,
        in_thread=True,
        body_optional=True,
    ),
    PREVIEW,
    *AUDIENCES,
    Endpoint(
        "events",
        "/events",
        "Tell what members and visitors did",
        EventsRequest,
        EventsAnswer,
        _events,
        _event,
        status=202,
    ),
    Endpoint("stock", "/products/stock", "Tell what is in stock", StockRequest, StockAnswer, _stock, _level),
    *STANDING,
    *TRAITS,
    *MODELS,
)

BY_NAME: Mapping[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
