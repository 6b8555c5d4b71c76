"""From an event's 202 to the member's next answers: `python -m tests.benchmarks.reflected` prints a table."""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recsys.answers.shapes import Standing
from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from tests.benchmarks.machine import machine
from tests.large_publication import large_content
from tests.publications import member_id
from tests.serving_process import Running, serve_command, serving

HEADERS = {"content-type": "application/json"}
WINDOWS = 8
"""Connections that are asked after each event: the kernel spreads them over the workers."""
GIVE_UP = 5.0


class Caller:
    """One connection to the service, kept alive."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post and return what was answered; `RuntimeError` unless it went well."""
        self._connection.request("POST", path, json.dumps(body), HEADERS)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(text.decode())
        return dict(json.loads(text))

    def shown(self, member: str) -> tuple[str, ...]:
        """Return the products shown to a member on the home page; none to one who is not answered from a history."""
        answer = self.post("/recommend", {"placement": "home", "member_id": member, "k": 10})
        own = answer["standing"] == Standing.KNOWN
        return tuple(item["product_id"] for item in answer["items"]) if own else ()


def reflected(service: Running, members: range) -> list[float]:
    """Seconds, for each member, from the 202 of a purchase of the first product shown until no connection shows it."""
    callers = [Caller(service.url) for _ in range(WINDOWS)]
    teller = Caller(service.url)
    waits = []
    for number in members:
        member = member_id(number)
        shown = callers[0].shown(member)
        if not shown:
            continue
        first = shown[0]
        now = datetime.now(UTC).isoformat()
        event = {"event_id": uuid.uuid4().hex, "type": "purchase", "member_id": member, "occurred_at": now}
        teller.post("/events", {"events": [{**event, "product_id": first}]})
        told = time.perf_counter()
        for caller in callers:
            while first in caller.shown(member):
                if time.perf_counter() - told > GIVE_UP:
                    raise RuntimeError(f"{first} is still shown to {member}")
        waits.append(time.perf_counter() - told)
    return sorted(waits)


def main() -> None:
    """Measure with one and with two workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=500)
    members = range(parser.parse_args().members)
    _say(f"{machine()}; after each event {WINDOWS} connections ask one after the other until each answer follows\n")
    _say("| workers | events | 202 to all answers p50, ms | p99, ms |\n|---:|---:|---:|---:|")
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder) / "home")
            write_publication(home.publications, large_content())
            more = {"RECSYS_WORKERS": str(workers)}
            with serving(serve_command(), home.root, Path(folder), more=more) as service:
                time.sleep(2)
                waits = reflected(service, members)
        p99 = waits[min(int(len(waits) * 0.99), len(waits) - 1)]
        _say(f"| {workers} | {len(waits)} | {statistics.median(waits) * 1e3:.1f} | {p99 * 1e3:.1f} |")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
