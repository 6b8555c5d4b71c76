"""Looks at what runs until it is as it should be."""

import time
from collections.abc import Callable
from typing import Any

import httpx

PAUSE = 0.02


def until(check: Callable[[], bool], within: float = 90) -> None:
    """Wait until a check holds; fails when it does not within so many seconds, as a new worker has much to import."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline
        time.sleep(PAUSE)


def ready(client: httpx.Client) -> dict[str, Any]:
    """Return what a service says of itself."""
    told: dict[str, Any] = client.get("/readyz").json()
    return told


def counter(client: httpx.Client, name: str) -> float:
    """Return a counter of a service, summed over the labels that the name leaves open."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))
