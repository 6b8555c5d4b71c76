"""What requests look like; an unknown key, a wrong type and a value out of bounds are refused by name."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field

from recsys.answers.ask import Ask, Filters

MAX_K = 200
MAX_PRODUCTS = 500
MAX_ID = 256
PLAIN = {"placement", "member_id", "anonymous_id", "k", "personalised"}
"""What a request for items says when it says nothing particular."""

Item = TypeVar("Item")
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Many = Annotated[tuple[Item, ...], FailFast()]
"""A list of which only the first wrong entry is told."""
K = Annotated[int, Field(ge=1, le=MAX_K)]


class Request(BaseModel):
    """Base of all requests."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class FiltersRequest(Request):
    """What the answer shall be kept to."""

    categories: Many[Id] = Field(default=(), max_length=100)
    """Only these categories; empty = all."""
    brands: Many[Id] = Field(default=(), max_length=100)
    """Only these brands; empty = all."""
    price_min: Amount | None = None
    """Only at this price or above."""
    price_max: Amount | None = None
    """Only at this price or below."""


class ContextRequest(Request):
    """What surrounds the place."""

    products: Many[Id] = Field(default=(), max_length=100)
    """The product shown, those in the cart, in the order, or seen lately; they never come back as items."""


class RecommendRequest(Request):
    """A member opens a place that shall be filled."""

    placement: Id
    """The place: a name of `placements.toml`, such as `home` or `cart`."""
    member_id: Id | None = None
    """The member; null = a visitor who is not known."""
    anonymous_id: Id | None = None
    """The browser or device, as events name it; what was done there lately counts beside what the member did."""
    k: K = 10
    """So many items at most."""
    exclude: Many[Id] = Field(default=(), max_length=1000)
    """Products that must not come back."""
    context: ContextRequest = ContextRequest()
    """What surrounds the place."""
    filters: FiltersRequest = FiltersRequest()
    """What the answer shall be kept to."""
    recent: Many[Id] = Field(default=(), max_length=50)
    """Products that the visitor viewed lately, newest first, as far as the mall knows them."""
    answers: dict[Id, Many[Id]] = Field(default={}, max_length=50)
    """What was answered to the questions of `placements.toml`: question -> answers."""
    preferences: Many[Id] = Field(default=(), max_length=50)
    """Categories that the visitor asked for."""
    personalised: bool = True
    """False = answer without looking at any history."""

    def is_plain(self) -> bool:
        """Whether it says no more than whose it is, of which place, and how many items."""
        return self.model_fields_set <= PLAIN

    def ask(self) -> Ask:
        """Return it as the library's own type."""
        filters = self.filters
        return Ask(
            placement=self.placement,
            member_id=self.member_id,
            anonymous_id=self.anonymous_id,
            k=self.k,
            products=self.context.products,
            recent=self.recent,
            exclude=self.exclude,
            filters=Filters(filters.categories, filters.brands, filters.price_min, filters.price_max),
            answers=self.answers,
            preferences=self.preferences,
            personalised=self.personalised,
        )


class RankRequest(Request):
    """A list of products that shall be put in a member's order."""

    products: Many[Id] = Field(min_length=1, max_length=MAX_PRODUCTS)
    """The products, each once."""
    member_id: Id | None = None
    """The member; null = a visitor who is not known."""
    personalised: bool = True
    """False = order without looking at the member's history."""


class NeighboursRequest(Request):
    """A product whose neighbours are wanted."""

    product_id: Id
    """The product."""
    k: K = 10
    """So many items at most."""


class PredictionsRequest(Request):
    """Nothing but the path says whose card is wanted."""
