# mypy: disable-error-code="misc, untyped-decorator, no-any-return"
"""The BentoML service: BentoML runs the processes, builds the bento and serves health and metrics; our door answers."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import bentoml

from recsys.answers.audience.shapes import AudiencePreview
from recsys.answers.shapes import Neighbours, Ranking, Recommendation
from recsys.core.config import Home
from serving import logs
from serving.audience_preview import AudienceRequest
from serving.call import HERE, Call
from serving.door import App, Door
from serving.endpoint import Endpoint
from serving.endpoints import BY_NAME, ENDPOINTS
from serving.live_schemas import EventsAnswer, EventsRequest, StockAnswer, StockRequest
from serving.process import watch_process
from serving.schemas import NeighboursRequest, RankRequest, RecommendRequest
from serving.state import State

if TYPE_CHECKING:
    from serving.metrics import Metrics


class DoorService(bentoml.Service):
    """A service whose app stands behind our door; made once in every worker."""

    endpoints: Sequence[Endpoint] = ENDPOINTS

    @cached_property
    def metrics(self) -> "Metrics":
        """What the worker counts; made late, as `serving.metrics` asks."""
        from serving.metrics import Metrics

        return Metrics()

    @cached_property
    def state(self) -> State:
        """What the worker answers from; shared by the door and by BentoML's own instance of the API."""
        return State(Home.default(), self.metrics)

    def to_asgi(self, is_main: bool = True) -> App:  # noqa: FBT001, FBT002
        """Build the worker's app."""
        logs.configure()
        watch_process(self.metrics)
        return Door(self.state, self.metrics, super().to_asgi(is_main=is_main), self.endpoints)

    def __call__(self) -> "Api":
        """Make BentoML's instance of the API and begin to follow the publication."""
        api: Api = super().__call__()
        api.state = self.state
        self.state.start()
        return api


class Api:
    """Recommendations and predictions for a member mall; the same endpoints for BentoML's own clients.

    Over HTTP the door answers before these methods are reached; they answer whoever holds the service in process.
    """

    state: State

    @bentoml.api(route="/recommend")
    def recommend(self, request: RecommendRequest, /) -> Recommendation:
        """Items for a member at a placement."""
        return self._answer("recommend", request)

    @bentoml.api(route="/rank")
    def rank(self, request: RankRequest, /) -> Ranking:
        """Put a list in a member's order."""
        return self._answer("rank", request)

    @bentoml.api(route="/similar")
    def similar(self, request: NeighboursRequest, /) -> Neighbours:
        """Products that can stand in for a product."""
        return self._answer("similar", request)

    @bentoml.api(route="/bought-together")
    def bought_together(self, request: NeighboursRequest, /) -> Neighbours:
        """Products bought with a product."""
        return self._answer("bought_together", request)

    @bentoml.api(route="/audiences/preview")
    def audience_preview(self, request: AudienceRequest, /) -> AudiencePreview:
        """Size and expectation of an audience."""
        return self._answer("audience_preview", request)

    @bentoml.api(route="/events")
    async def events(self, request: EventsRequest, /) -> EventsAnswer:
        """Tell what members and visitors did."""
        return await self._answer("events", request)

    @bentoml.api(route="/products/stock")
    async def stock(self, request: StockRequest, /) -> StockAnswer:
        """Tell what is in stock."""
        return await self._answer("stock", request)

    @bentoml.on_shutdown
    def stop(self) -> None:
        """End the following of the publication."""
        self.state.stop()

    def _answer(self, name: str, request: Any) -> Any:
        return BY_NAME[name].handle(self.state, request, Call("", HERE))


OPTIONS: dict[str, Any] = {
    "name": "recsys",
    "workers": int(os.environ.get("RECSYS_WORKERS", "1")),
    "traffic": {"timeout": 10},
    "logging": {"access": {"enabled": False}},
    "metrics": {"enabled": True},
}
"""How BentoML runs the service."""

service = bentoml.service(service_class=DoorService, **OPTIONS)(Api)
