"""Answers counted in plain dictionaries and given to Prometheus some times a second, which costs a tenth of each."""

import asyncio
from bisect import bisect_left

import prometheus_client as prometheus

from recsys.answers.recommend import Answered

BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
"""Upper bounds of the times to answer, in seconds."""
GIVE_SECONDS = 0.25


class AnswerCounts:
    """Counts on the event loop's thread, and gives what it has counted to Prometheus there too."""

    def __init__(self) -> None:
        self._requests = prometheus.Counter("recsys_requests", "Answered requests", ["endpoint", "status"])
        self._seconds = prometheus.Histogram("recsys_request_seconds", "Time to answer", ["endpoint"], buckets=BUCKETS)
        self._routes = prometheus.Counter("recsys_routes", "Recommendations by route", ["placement", "route"])
        self._fallbacks = prometheus.Counter("recsys_fallbacks", "Fallback steps taken", ["placement", "step"])
        self._answers: dict[tuple[str, int, int], int] = {}
        self._times: dict[str, float] = {}
        self._ways: dict[tuple[str, str], int] = {}
        self._steps: dict[tuple[str, str], int] = {}
        self._waiting = False

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one request."""
        answer = endpoint, status, bisect_left(BUCKETS, seconds)
        self._answers[answer] = self._answers.get(answer, 0) + 1
        self._times[endpoint] = self._times.get(endpoint, 0.0) + seconds
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().call_later(GIVE_SECONDS, self.give)

    def recommended(self, answer: Answered) -> None:
        """Count how a recommendation was reached."""
        way = answer.placement, answer.route
        self._ways[way] = self._ways.get(way, 0) + 1
        for fallback in answer.fallbacks:
            step = answer.placement, fallback.step
            self._steps[step] = self._steps.get(step, 0) + 1

    def give(self) -> None:
        """Give what was counted to Prometheus."""
        self._waiting = False
        for (endpoint, status, bucket), n in self._answers.items():
            self._requests.labels(endpoint, str(status)).inc(n)
            # Prometheus' own way into a histogram takes one time after the other.
            self._seconds.labels(endpoint)._buckets[bucket].inc(n)
        for endpoint, seconds in self._times.items():
            self._seconds.labels(endpoint)._sum.inc(seconds)
        for (placement, route), n in self._ways.items():
            self._routes.labels(placement, route).inc(n)
        for (placement, step), n in self._steps.items():
            self._fallbacks.labels(placement, step).inc(n)
        for counted in (self._answers, self._times, self._ways, self._steps):
            counted.clear()
