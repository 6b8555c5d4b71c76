"""What the service counts, in the registry that BentoML's /metrics reads."""

from collections.abc import Sequence

import prometheus_client as prometheus

from recsys.answers.recommend import Answered
from recsys.store.events import Event
from recsys.store.live_fold import Credit
from serving.answer_counts import BUCKETS, AnswerCounts
from serving.live_metrics import LiveMetrics


class Metrics:
    """Counters of one worker; made after the worker has set its multi-process folder, so import this module late."""

    def __init__(self) -> None:
        self._answers = AnswerCounts()
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
        self._lost: set[str] = set()

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._answers.answered(endpoint, status, seconds)

    def recommended(self, answer: Answered) -> None:
        """Count how a recommendation was reached."""
        self._answers.recommended(answer)

    def give(self) -> None:
        """Make what was counted so far visible."""
        self._answers.give()

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
