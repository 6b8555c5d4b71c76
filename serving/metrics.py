"""What the service counts, in the registry that BentoML's /metrics reads."""

from collections.abc import Sequence

import prometheus_client as prometheus

from recsys.answers.recommend import Answered
from recsys.store.events import Event
from recsys.store.live_fold import Credit
from serving.live_metrics import LiveMetrics

BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)

Children = dict[tuple[object, ...], prometheus.Counter]


class Metrics:
    """Counters of one worker; made after the worker has set its multi-process folder, so import this module late."""

    def __init__(self) -> None:
        self._requests = prometheus.Counter("recsys_requests", "Answered requests", ["endpoint", "status"])
        self._seconds = prometheus.Histogram("recsys_request_seconds", "Time to answer", ["endpoint"], buckets=BUCKETS)
        self._routes = prometheus.Counter("recsys_routes", "Recommendations by route", ["placement", "route"])
        self._fallbacks = prometheus.Counter("recsys_fallbacks", "Fallback steps taken", ["placement", "step"])
        self._swaps = prometheus.Counter("recsys_publications", "Publications taken and refused", ["result"])
        self._placements = prometheus.Counter("recsys_placements", "Placement files taken and refused", ["result"])
        self._losses = prometheus.Counter("recsys_store_losses", "Times that answers lost a store", ["store"])
        self._usable = prometheus.Gauge(
            "recsys_store_usable",
            "1 = every live worker reads the store, 0 = one does without",
            ["store"],
            multiprocess_mode="livemin",
        )
        self._as_of = prometheus.Gauge(
            "recsys_publication_as_of_day",
            "Day number (since 1970-01-01) of the oldest publication a live worker answers from",
            multiprocess_mode="livemin",
        )
        self._collections = prometheus.Histogram(
            "recsys_full_collection_seconds",
            "Time that requests waited for full garbage collections",
            buckets=BUCKETS,
        )
        self._memory = prometheus.Gauge(
            "recsys_worker_memory_bytes",
            "Resident memory of the largest live worker",
            multiprocess_mode="livemax",
        )
        self._live = LiveMetrics()
        self._children: Children = {}
        self._timers: dict[str, prometheus.Histogram] = {}
        self._route_children: Children = {}
        self._fallback_children: Children = {}
        self._lost: set[str] = set()

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        _child(self._children, self._requests, (endpoint, status)).inc()
        timer = self._timers.get(endpoint)
        if timer is None:
            timer = self._timers[endpoint] = self._seconds.labels(endpoint)
        timer.observe(seconds)

    def recommended(self, answer: Answered) -> None:
        """Count how a recommendation was reached."""
        _child(self._route_children, self._routes, (answer.placement, answer.route)).inc()
        for fallback in answer.fallbacks:
            _child(self._fallback_children, self._fallbacks, (answer.placement, fallback.step)).inc()

    def swapped(self, as_of_number: int) -> None:
        """Count a publication that was taken."""
        self._swaps.labels("taken").inc()
        self._as_of.set(as_of_number)

    def refused(self) -> None:
        """Count a publication that was refused."""
        self._swaps.labels("refused").inc()

    def placements(self, *, taken: bool) -> None:
        """Count a changed file of placements."""
        self._placements.labels("taken" if taken else "refused").inc()

    def store(self, name: str, *, usable: bool) -> None:
        """Note whether a store may be used, and count it when it was lost."""
        self._usable.labels(name).set(usable)
        if not usable and name not in self._lost:
            self._losses.labels(name).inc()
        (self._lost.discard if usable else self._lost.add)(name)

    def recorded(self, events: Sequence[Event], owed: Sequence[Credit], *, duplicates: int) -> None:
        """Count events that were recorded."""
        self._live.recorded(events, owed, duplicates=duplicates)

    def events_refused(self, n: int) -> None:
        """Count events that break a rule."""
        self._live.events_refused(n)

    def collected(self, seconds: float) -> None:
        """Count a full collection."""
        self._collections.observe(seconds)

    def memory(self, resident: int) -> None:
        """Note the worker's resident memory, in bytes."""
        self._memory.set(resident)


def _child(children: Children, counter: prometheus.Counter, labels: tuple[object, ...]) -> prometheus.Counter:
    """Return the counter of some labels, which is dear to look up, from those met before."""
    child = children.get(labels)
    if child is None:
        child = children[labels] = counter.labels(*map(str, labels))
    return child
