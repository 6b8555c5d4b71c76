"""The service beside bare uvicorn and Starlette in one run; `python -m tests.benchmarks.serving` prints a table."""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from serving.process import resident_bytes
from tests.benchmarks.machine import children, cpu_seconds, machine
from tests.large_publication import LISTED, MEMBERS, PRODUCTS, large_content
from tests.load import Measured, has_wrk, load
from tests.publications import member_id, product_id
from tests.serving_process import Running, free_port, running, serve_command, serving

ROOT = Path(__file__).parents[2]
CONNECTIONS = (1, 8, 32)
WORKERS = (1, 2)
HOT = 500
BARE = "bare uvicorn + Starlette"
RANK = [product_id(7 * n) for n in range(100)]


@dataclass(frozen=True)
class Road:
    """What is measured: a name, the server, where to post, and the bodies posted in turn."""

    name: str
    server: Running
    path: str
    bodies: Sequence[object]

    def run(self, connections: int, seconds: float) -> "Round":
        """Put load on it."""
        before = cpu_seconds(self.server.pid)
        met = load(self.server.url + self.path, self.bodies, connections, seconds)
        used = cpu_seconds(self.server.pid) - before
        return Round(met, used / (met.per_second * seconds))


@dataclass(frozen=True)
class Round:
    """What one load met, and the processor time of the server for each answer, in seconds."""

    met: Measured
    cpu: float


@dataclass(frozen=True)
class Row:
    """One road at so many workers and connections: every round's measures, and those of the bare one in each round."""

    name: str
    workers: int
    connections: int
    rounds: tuple[Round, ...]
    bare: tuple[Round, ...]

    def line(self) -> str:
        """Return the table's line: medians over rounds; the ratios are of the same round each."""
        pairs = list(zip(self.rounds, self.bare, strict=True))
        middle = [
            f"{statistics.median(one.met.per_second for one in self.rounds):,.0f}",
            f"{statistics.median(one.met.per_second / bare.met.per_second for one, bare in pairs):.2f}",
            f"{statistics.median(one.cpu for one in self.rounds) * 1e6:.0f}",
            f"{statistics.median(bare.cpu / one.cpu for one, bare in pairs):.2f}",
            f"{statistics.median(one.met.p50 for one in self.rounds) * 1e3:.2f}",
            f"{statistics.median(one.met.p99 for one in self.rounds) * 1e3:.2f}",
            f"{statistics.median(one.met.p99 / bare.met.p99 for one, bare in pairs):.2f}",
            str(sum(one.met.failed for one in self.rounds)),
        ]
        return f"| {self.name} | {self.workers} | {self.connections} | {' | '.join(middle)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measure")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is told")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "home"))
        write_publication(home.publications, large_content())
        _say(f"{machine()}; load by {'wrk -t1' if has_wrk() else 'tests/load.py'} on loopback, {asked.seconds:g} s x ")
        _say(
            f"{asked.rounds} rounds; {MEMBERS} members x {LISTED} candidates of {PRODUCTS} products; {HOT} hot members"
        )
        _say()
        _say("| | workers | connections | a second | of bare | CPU µs | of bare | p50 ms | p99 ms | of bare | failed |")
        _say("| --- |" + " ---: |" * 10)
        notes: list[str] = []
        for workers in asked.workers:
            with _servers(home, Path(folder), workers) as (roads, service):
                for connections in asked.connections:
                    for row in _measured(roads, workers, connections, asked.rounds, asked.seconds):
                        _say(row.line())
                notes.append(_note(service, workers))
        _say()
        for note in notes:
            _say(note)


def _measured(roads: Sequence[Road], workers: int, connections: int, rounds: int, seconds: float) -> Iterator[Row]:
    """Measure all roads in turn in each round, so that what else the machine does falls on all of them."""
    found: dict[str, list[Round]] = {road.name: [] for road in roads}
    for _ in range(rounds):
        for road in roads:
            found[road.name].append(road.run(connections, seconds))
    for name, measures in found.items():
        yield Row(name, workers, connections, tuple(measures), tuple(found[BARE]))


@contextlib.contextmanager
def _servers(home: Home, folder: Path, workers: int) -> Iterator[tuple[Sequence[Road], Running]]:
    asks = [{"placement": "home", "member_id": member_id(n), "k": 10} for n in range(HOT)]
    anew = [{**ask, "exclude": []} for ask in asks]  # what says more than it must is not remembered
    ranks = [{"member_id": member_id(n), "products": RANK} for n in range(HOT)]
    more = {"RECSYS_WORKERS": str(workers), "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as stack:

        def served(name: str, service: str, environment: Mapping[str, str]) -> Running:
            own = folder / f"{name}-{workers}"
            own.mkdir()
            return stack.enter_context(serving(serve_command(service=service), home.root, own, more=environment))

        service = served("service", "serving.service:service", more)
        _tell(service.url)
        body = folder / "body.json"
        body.write_bytes(_first(service.url, asks[0]))
        constant = served("constant", "tests.benchmarks.constant:service", more | {"BODY_FILE": str(body)})
        bare = stack.enter_context(_bare(folder, workers, {**os.environ, **more, "BODY_FILE": str(body)}))
        roads = (
            Road(BARE, bare, "/recommend", asks),
            Road("door, constant answer", constant, "/recommend", asks),
            Road("POST /recommend, hot member", service, "/recommend", asks),
            Road("POST /recommend, worked out anew", service, "/recommend", anew),
            Road("POST /rank, 100 products", service, "/rank", ranks),
        )
        for road in roads:
            road.run(4, 1)
        yield roads, service


def _bare(folder: Path, workers: int, environment: Mapping[str, str]) -> contextlib.AbstractContextManager[Running]:
    own, port = folder / f"bare-{workers}", free_port()
    own.mkdir()
    arguments = [sys.executable, "-m", "uvicorn", "tests.benchmarks.bare:app", "--port", str(port)]
    arguments += ["--workers", str(workers), "--no-access-log", "--log-level", "warning"]
    return running(arguments, environment, own, f"http://127.0.0.1:{port}", "/livez")


def _first(url: str, body: object) -> bytes:
    """Return the first answer, which must be one."""
    deadline = time.monotonic() + 30
    while (answer := httpx.post(f"{url}/recommend", json=body, timeout=10)).status_code == 503:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return answer.raise_for_status().content


def _tell(url: str) -> None:
    """Have every hot member view two products and put one into the cart."""
    now = datetime.now(UTC).isoformat()
    kinds = ("view", "view", "cart")
    events = [
        {
            "event_id": f"{uuid.uuid4().hex}",
            "type": kind,
            "member_id": member_id(n),
            "product_id": product_id((17 * n + 31 * at) % PRODUCTS),
            "occurred_at": now,
        }
        for n in range(HOT)
        for at, kind in enumerate(kinds)
    ]
    for start in range(0, len(events), 500):
        httpx.post(f"{url}/events", json={"events": events[start : start + 500]}, timeout=30).raise_for_status()


def _note(service: Running, workers: int) -> str:
    largest = max(filter(None, map(resident_bytes, children(service.pid))))
    told = httpx.get(f"{service.url}/metrics", timeout=10).text
    collections = {
        line.split()[0].rpartition("_")[2]: float(line.split()[1])
        for line in told.splitlines()
        if line.startswith(("recsys_full_collection_seconds_sum", "recsys_full_collection_seconds_count"))
    }
    return (
        f"{workers} workers: up after {service.start_seconds:.1f} s; largest process {largest / 1e6:.0f} MB; "
        f"{collections.get('count', 0):.0f} full collections, {collections.get('sum', 0) * 1e3:.0f} ms in all"
    )


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
