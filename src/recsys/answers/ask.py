"""What is asked of `/recommend`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.core.errors import RequestError


@dataclass(frozen=True, slots=True)
class Filters:
    """What the request wants only; empty or None = everything. Prices are inclusive; an unknown price fits no bound.

    Categories and brands that are not known fit nothing; an answer tells them.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None

    def __post_init__(self) -> None:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise RequestError("filters.price_max", "lies below filters.price_min")


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for items.

    anonymous_id: the browser or device; what it did lately counts beside what the member did.
    products: ids of the products around the place: the one shown, those in the cart or in the order.
    recent: ids of products that the visitor viewed lately, newest first, as far as the mall knows them.
    exclude: ids that must not come back; those of `products` never do either.
    answers: question of a survey -> the answers given. preferences: categories that the visitor asked for.
    personalised: False = no history is looked at: neither published nor done lately, nor `recent`.
    """

    placement: str
    member_id: str | None = None
    anonymous_id: str | None = None
    k: int = 10
    products: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filters: Filters = EVERYTHING
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preferences: tuple[str, ...] = ()
    personalised: bool = True
