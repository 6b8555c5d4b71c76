"""POST /events: what members and visitors did."""

import time

from recsys.core.errors import RequestError
from recsys.store.events import Event
from serving.errors import Failure
from serving.events_intake import EventIntake
from serving.live_schemas import EventRequest, EventsAnswer, EventsRequest, RefusedEvent


async def take_events(intake: EventIntake, request: EventsRequest) -> EventsAnswer:
    """Record the events that keep all rules; `RequestError` names the first broken one when no event keeps them."""
    now = round(time.time(), 6)
    events: list[Event] = []
    refused: list[RefusedEvent] = []
    for index, told in enumerate(request.events):
        try:
            events.append(_event(told, now))
        except RequestError as error:
            field = ".".join(filter(None, ("events", str(index), str(error.fields["field"]))))
            refused.append(RefusedEvent(index, field, str(error.fields["rule"])))
    if refused:
        intake.tally.events_refused(len(refused))
    if not events:
        raise RequestError(refused[0].field, refused[0].rule)
    accepted = await intake.record(events)
    return EventsAnswer(accepted, len(events) - accepted, tuple(refused))


def _event(told: EventRequest | Failure, now: float) -> Event:
    if isinstance(told, Failure):
        raise RequestError("" if told.field in (None, "body") else str(told.field), told.rule)
    return told.event(now)
