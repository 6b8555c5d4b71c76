"""What the worker's process does to the time of requests and to memory, and how it is watched."""

import gc
import os
import sys
import threading
from collections import deque
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

SWITCH_SECONDS = 0.0005
"""Threads that read publications and write events give way to requests after so long at most."""
COLLECT_AFTER = (20_000, 20, 100)
"""Objects made before the youngest are collected, and so on: an answer makes hundreds and hardly any cycle."""
LOOK_SECONDS = 1.0
OLDEST = 2


class ProcessWatcher(Protocol):
    """Is told of the process."""

    def collected(self, seconds: float) -> None:
        """Hear how long a full collection took."""
        ...

    def memory(self, resident: int) -> None:
        """Hear how many bytes are resident."""
        ...


def watch_process(watcher: ProcessWatcher) -> None:
    """Let requests go before background work, and report full collections and memory from now on."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    collections: deque[float] = deque()
    began = 0.0

    def hear(phase: str, info: dict[str, Any]) -> None:
        """Only note it: a collection may begin while the thread holds a lock that telling the watcher needs."""
        nonlocal began
        if info["generation"] != OLDEST:
            return
        if phase == "start":
            began = perf_counter()
        else:
            collections.append(perf_counter() - began)

    gc.callbacks.append(hear)
    threading.Thread(target=_follow, args=(watcher, collections), name="process", daemon=True).start()


def _follow(watcher: ProcessWatcher, collections: "deque[float]") -> None:
    tick = threading.Event()
    while True:
        while collections:
            watcher.collected(collections.popleft())
        resident = resident_bytes()
        if resident is not None:
            watcher.memory(resident)
        tick.wait(LOOK_SECONDS)


def resident_bytes(process: int | str = "self") -> int | None:
    """Return the resident memory of a process; None where the kernel does not tell it, or the process has ended."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
