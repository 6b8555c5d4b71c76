"""What is counted of the events that the mall tells."""

from collections.abc import Sequence

import prometheus_client as prometheus

from recsys.answers.identity import parse
from recsys.core.errors import RequestError
from recsys.store.events import Event, EventType
from recsys.store.live_fold import Credit

MAX_PLACES = 200
"""Placements and variants that have counters of their own; ids are made by callers, who must not fill the memory."""
OTHER = ("other", "other")

Place = tuple[str, str]


class LiveMetrics:
    """Counters of one worker, by placement and variant as the recommendation's id tells them.

    What a worker learns by following the log, after a crash, is not counted: `recsys attribution` reads the log itself.
    """

    def __init__(self) -> None:
        labels = ["placement", "variant"]
        self._events = prometheus.Counter("recsys_events", "Events recorded", ["type"])
        self._duplicates = prometheus.Counter("recsys_events_duplicate", "Events that had been recorded before")
        self._refused = prometheus.Counter("recsys_events_refused", "Events that break a rule")
        self._impressions = prometheus.Counter("recsys_impressions", "Recommended products that were shown", labels)
        self._clicks = prometheus.Counter("recsys_clicks", "Recommended products that were clicked", labels)
        self._purchases = prometheus.Counter(
            "recsys_purchases", "Purchases owed to a recommendation", [*labels, "after"]
        )
        self._money = prometheus.Counter("recsys_purchase_money", "Money of such purchases", [*labels, "after"])
        self._places: set[Place] = set()

    def recorded(self, events: Sequence[Event], owed: Sequence[Credit], *, duplicates: int) -> None:
        """Count events that were new, what of them is owed to recommendations, and those that were not new."""
        for kind in EventType:
            n = sum(event.type is kind for event in events)
            if n:
                self._events.labels(kind.value).inc(n)
        self._duplicates.inc(duplicates)
        for credit in owed:
            place = self._place(credit.recommendation_id)
            match credit.event.type:
                case EventType.IMPRESSION:
                    self._impressions.labels(*place).inc()
                case EventType.CLICK:
                    self._clicks.labels(*place).inc()
                case _:
                    self._purchases.labels(*place, credit.after.value).inc()
                    self._money.labels(*place, credit.after.value).inc(credit.event.amount or 0.0)

    def events_refused(self, n: int) -> None:
        """Count events that break a rule."""
        self._refused.inc(n)

    def _place(self, recommendation_id: str) -> Place:
        try:
            told = parse(recommendation_id)
        except RequestError:
            return OTHER
        place = (told.placement, told.variant)
        if place not in self._places:
            if len(self._places) >= MAX_PLACES:
                return OTHER
            self._places.add(place)
        return place
