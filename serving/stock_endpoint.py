"""POST /products/stock: what can be sold from now on."""

from collections.abc import Callable

from serving.events_intake import EventIntake
from serving.live_schemas import StockAnswer, StockRequest


async def take_stock(intake: EventIntake, request: StockRequest, known: Callable[[str], bool]) -> StockAnswer:
    """Put stock in force. known: whether the publication has a product."""
    pieces = request.pieces()
    version = await intake.restock(pieces)
    return StockAnswer(len(pieces), version, tuple(product_id for product_id in pieces if not known(product_id)))
