"""A service under load for long, while it swaps publications and takes events: what failed, and how its memory went."""

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from recsys.core.folders import point
from serving.process import resident_bytes
from tests.benchmarks.machine import children
from tests.load import Measured, load
from tests.publications import member_id, product_id
from tests.serving_process import Running


@dataclass(frozen=True)
class Wish:
    """How long and how often to swap (seconds), over how many connections, and in how many samples to tell it."""

    seconds: float
    swap_every: float
    connections: int
    samples: int


@dataclass(frozen=True)
class Sample:
    """One stretch of the soak. at: seconds since its start. resident: bytes of the largest process at its end."""

    at: float
    resident: int
    met: Measured


@dataclass(frozen=True)
class Soaked:
    """What came of it. events: taken, each answered 202; refused: any other answer to events."""

    samples: tuple[Sample, ...]
    swaps: int
    events: int
    refused: int

    @property
    def failed(self) -> int:
        """Recommendations that did not come or were no answers."""
        return sum(sample.met.failed for sample in self.samples)


def soak(service: Running, publications: Path, folders: Sequence[str], wish: Wish, members: int) -> Soaked:
    """Ask for recommendations of all members in turn while the pointer goes from one folder to the next."""
    asks = [{"placement": "home", "member_id": member_id(n), "k": 10} for n in range(members)]
    done = threading.Event()
    with ThreadPoolExecutor(2) as side:
        swaps = side.submit(_swap, publications, folders, wish.swap_every, done)
        events = side.submit(_tell, service.url, members, done)
        samples, began = [], time.monotonic()
        try:
            for _ in range(wish.samples):
                met = load(f"{service.url}/recommend", asks, wish.connections, wish.seconds / wish.samples)
                samples.append(Sample(time.monotonic() - began, _largest(service), met))
        finally:
            done.set()
        taken, refused = events.result()
        return Soaked(tuple(samples), swaps.result(), taken, refused)


def _largest(service: Running) -> int:
    return max(filter(None, map(resident_bytes, children(service.pid))))


def _swap(publications: Path, folders: Sequence[str], every: float, done: threading.Event) -> int:
    swaps = 0
    while not done.wait(every):
        swaps += 1
        point(publications, folders[swaps % len(folders)])
    return swaps


def _tell(url: str, members: int, done: threading.Event) -> tuple[int, int]:
    """Send a view of some member some times a second."""
    taken = refused = 0
    with httpx.Client(base_url=url, timeout=10) as client:
        while not done.wait(0.05):
            event = {
                "event_id": uuid.uuid4().hex,
                "type": "view",
                "member_id": member_id(taken % members),
                "product_id": product_id(taken % 50),
                "occurred_at": datetime.now(UTC).isoformat(),
            }
            status = client.post("/events", json={"events": [event]}).status_code
            taken, refused = taken + (status == 202), refused + (status != 202)
    return taken, refused
