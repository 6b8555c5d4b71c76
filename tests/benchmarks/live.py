"""Events into a running service: `python -m tests.benchmarks.live` prints a table."""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.store.live import LiveReader
from tests.benchmarks.machine import machine
from tests.publications import content, product_id
from tests.serving_process import Running, serve_command, serving

BATCHES = (1, 20, 500)
CALLERS = 8
BODIES = 4000
HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True)
class Told:
    """One request: seconds until the 202, and from the 202 until another process than the service's read the event."""

    answered: float
    visible: float


def batch(size: int) -> tuple[str, bytes]:
    """Return a member and a body with this member's last event last."""
    member, now = f"member-{uuid.uuid4().hex}", datetime.now(UTC).isoformat()
    kinds = ("view", "view", "favourite", "cart", "view")
    events = [
        {
            "event_id": uuid.uuid4().hex,
            "type": kinds[number % 5],
            "occurred_at": now,
            "member_id": member if number == size - 1 else f"{member}-{number % 40}",
            "product_id": product_id(number % 60),
        }
        for number in range(size)
    ]
    events[-1]["type"] = "view"
    return member, json.dumps({"events": events}).encode()


def call(url: str, reader: LiveReader, bodies: list[tuple[str, bytes]], until: float, told: list[Told]) -> None:
    """Send bodies one after the other over one connection."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    while bodies and time.perf_counter() < until:
        member, body = bodies.pop()
        began = time.perf_counter()
        connection.request("POST", "/events", body, HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        answered = time.perf_counter()
        if answer.status != 202:
            raise RuntimeError(text)
        while not reader.doings(member, None, time.time()).viewed:
            time.sleep(0.0001)
        told.append(Told(answered - began, time.perf_counter() - answered))
    connection.close()


def run(server: Running, home: Home, size: int, seconds: float) -> str:
    """Put load on a service and return a row of the table."""
    bodies = [batch(size) for _ in range(max(BODIES // size, 100) * (4 if size == 1 else 2))]
    reader = LiveReader(home.live)
    told: list[Told] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=call, args=(server.url, reader, bodies, began + seconds, told)) for _ in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    answered, visible = sorted(one.answered for one in told), sorted(one.visible for one in told)
    return (
        f"| {size} | {len(told) / took:,.0f} | {size * len(told) / took:,.0f} "
        f"| {statistics.median(answered) * 1e3:.1f} | {_p99(answered) * 1e3:.1f} "
        f"| {statistics.median(visible) * 1e3:.3f} | {_p99(visible) * 1e3:.3f} |"
    )


def _p99(values: list[float]) -> float:
    return values[min(int(len(values) * 0.99), len(values) - 1)]


def main() -> None:
    """Measure every size of batch with one and with two workers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    print(f"{machine()}; {CALLERS} callers on the same machine\n")  # noqa: T201
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder) / "home")
            write_publication(home.publications, content())
            (Path(folder) / "serve").mkdir()
            with serving(
                serve_command(), home.root, Path(folder) / "serve", more={"RECSYS_WORKERS": str(workers)}
            ) as server:
                time.sleep(5)
                print(f"workers: {workers}")  # noqa: T201
                print("| batch | requests/s | events/s | answer p50, ms | p99 | 202 to read p50, ms | p99 |")  # noqa: T201
                print("|---:|---:|---:|---:|---:|---:|---:|")  # noqa: T201
                for size in BATCHES:
                    print(run(server, home, size, seconds), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
