"""What is told of events and stock, and what is answered; one wrong event does not keep the others out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    model_validator,
)

from recsys.answers.identity import MAX_LENGTH, parse
from recsys.answers.shapes import DESCRIBED
from recsys.core.errors import RequestError
from recsys.store.events import AHEAD_SECONDS, Event, EventType
from serving.errors import Failure, first_broken
from serving.schemas import MAX_ID, Many

MAX_EVENTS = 500
MAX_PRODUCTS = 500
MAX_QUERY = 500
OLDEST = 946_684_800.0
"""The year 2000, in UTC seconds: a clock that is further back was never set."""

Name = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]*$")]
Number = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]

NEEDS: dict[EventType, tuple[str, ...]] = {
    EventType.VIEW: ("product_id",),
    EventType.SEARCH: ("query",),
    EventType.FAVOURITE: ("product_id",),
    EventType.CART: ("product_id",),
    EventType.PURCHASE: ("product_id",),
    EventType.CHECK_IN: (),
    EventType.SHARE: (),
    EventType.IMPRESSION: ("product_id", "recommendation_id"),
    EventType.CLICK: ("product_id", "recommendation_id"),
}
OF_PURCHASES = ("order_id", "quantity", "amount")


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def _instant(value: Any) -> datetime:
    """Read a time out of text: events of a batch reach their checks as plain values, no longer as JSON."""
    if not isinstance(value, str):
        raise ValueError("is no text such as 2025-03-31T08:00:00+08:00")  # noqa: TRY004
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is no time such as 2025-03-31T08:00:00+08:00") from None


class EventRequest(_Request):
    """Something that a member or a visitor did."""

    event_id: Name
    """Made by whoever reports, the same whenever it is sent again: it then counts once."""
    type: Annotated[EventType, Field(strict=False)]
    """What was done. A view, favourite, cart, purchase, impression and click need `product_id`, a search needs `query`,
    an impression and a click need `recommendation_id`."""
    occurred_at: Annotated[AwareDatetime, BeforeValidator(_instant)]
    """When, with its zone; at most an hour ahead of the service's clock."""
    member_id: Name | None = None
    """The member; null = not signed in."""
    anonymous_id: Name | None = None
    """The browser or device; needed where there is no member."""
    product_id: Name | None = None
    """With which product."""
    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, pattern=r"^[^\x00]*$")] | None = None
    """What was searched."""
    placement: Name | None = None
    """Where in the mall."""
    recommendation_id: Annotated[str, Field(max_length=MAX_LENGTH)] | None = None
    """Of the answer that brought it about."""
    order_id: Name | None = None
    """Of a purchase: the order."""
    quantity: Number | None = None
    """Of a purchase: pieces or weight."""
    amount: Number | None = None
    """Of a purchase: the money paid for the product; null = not known."""

    @model_validator(mode="after")
    def _whole(self) -> "EventRequest":
        if self.member_id is None and self.anonymous_id is None:
            raise RequestError("member_id", "or anonymous_id is needed")
        for name in NEEDS[self.type]:
            if getattr(self, name) is None:
                raise RequestError(name, f"is needed for the type {self.type}")
        if self.type is not EventType.PURCHASE:
            for name in OF_PURCHASES:
                if getattr(self, name) is not None:
                    raise RequestError(name, "is taken for the type purchase only")
        if self.recommendation_id is not None:
            parse(self.recommendation_id)
        return self

    def event(self, now: float) -> Event:
        """Return it as the library's own type, received now (UTC seconds); `RequestError` when its time cannot be."""
        at = self.occurred_at.timestamp()
        if not OLDEST <= at <= now + AHEAD_SECONDS:
            raise RequestError("occurred_at", "lies before the year 2000 or more than an hour ahead")
        return Event(
            event_id=self.event_id,
            type=self.type,
            occurred_at=at,
            received_at=now,
            member_id=self.member_id,
            anonymous_id=self.anonymous_id,
            product_id=self.product_id,
            query=self.query,
            placement=self.placement,
            recommendation_id=self.recommendation_id,
            order_id=self.order_id,
            quantity=self.quantity,
            amount=self.amount,
        )


def _or_failure(value: Any, check: Callable[[Any], EventRequest]) -> "EventRequest | Failure":
    """Check one event of a batch, and keep what is wrong with it rather than refuse the batch."""
    try:
        return check(value)
    except ValidationError as error:
        return first_broken(error)
    except RequestError as error:
        return Failure.of(error.fields["field"], error.fields["rule"])


class EventsRequest(_Request):
    """What members and visitors did, in any order.

    Each event stands for itself: one that breaks a rule is refused and told, and the others are recorded.
    """

    events: Annotated[
        Many[Annotated[EventRequest, WrapValidator(_or_failure)]], Field(min_length=1, max_length=MAX_EVENTS)
    ]
    """The events."""


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that was not recorded."""

    __pydantic_config__ = DESCRIBED
    index: int
    """Its place in the batch, from 0."""
    field: str
    """The part to mend, such as `events.3.type`."""
    rule: str
    """What it must be."""


@dataclass(frozen=True, slots=True)
class EventsAnswer:
    """What became of a batch: every event is accepted, a duplicate or refused."""

    __pydantic_config__ = DESCRIBED
    accepted: int
    """Events recorded, and kept whatever happens to the service from now on."""
    duplicates: int
    """Events that had been recorded before."""
    refused: tuple[RefusedEvent, ...]
    """Events that break a rule; sent again as they are, they will be refused again."""


class StockLevel(_Request):
    """The stock of one product."""

    product_id: Name
    """The product."""
    stock: Number
    """Pieces at hand now; with 0 it is not recommended."""


class StockRequest(_Request):
    """Stock that changed. It acts at once and until a publication is made of tables of a later day."""

    products: Many[StockLevel] = Field(min_length=1, max_length=MAX_PRODUCTS)
    """The products, each once. All of them are taken, or none."""

    def pieces(self) -> dict[str, float]:
        """Return the stock by product; `RequestError` names a product that comes twice."""
        pieces: dict[str, float] = {}
        for place, level in enumerate(self.products):
            if level.product_id in pieces:
                raise RequestError(f"products.{place}.product_id", "comes twice")
            pieces[level.product_id] = level.stock
        return pieces


@dataclass(frozen=True, slots=True)
class StockAnswer:
    """What became of a change of stock."""

    __pydantic_config__ = DESCRIBED
    taken: int
    """Products whose stock is in force."""
    version: int
    """Rises with every change."""
    unknown_products: tuple[str, ...]
    """Products that are not in the publication; their stock is kept for one that has them."""
