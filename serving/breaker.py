"""Keeps answers from waiting for a store that is slow or broken."""

import logging
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

DEADLINE_SECONDS = 0.05
"""A read of a store that takes longer than this counts as failed."""
LATE = f"a read took longer than {DEADLINE_SECONDS * 1000:g} ms"
PROBE_SECONDS = 0.5
"""So often an open breaker tries whether the store is back."""

_log = logging.getLogger("recsys.serving")


class StoreWatcher(Protocol):
    """Is told when a store is lost and when it is back."""

    def store(self, name: str, *, usable: bool) -> None:
        """Hear whether answers may use a store from now on."""
        ...


class Breaker:
    """Closed: the store may be read. A read that fails or is late opens it, and answers do without the store.

    While it is open a thread of its own tries the store, so that no answer has to; it closes again by itself.
    """

    def __init__(self, name: str, probe: Callable[[], object], watcher: StoreWatcher) -> None:
        """Take the store's name, a read that raises when the store is not usable, and whom to tell."""
        self._name = name
        self._probe = probe
        self._watcher = watcher
        self._reason: str | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @property
    def reason(self) -> str | None:
        """Why the store is not read; None = it is."""
        return self._reason

    def trip(self, reason: str, error: Exception | None = None) -> None:
        """Open it; one that is open keeps its first reason. The error is for the log alone."""
        with self._lock:
            if self._reason is not None or self._stop.is_set():
                return
            self._reason = reason
        _log.error("answers do without the %s store: %s (%r)", self._name, reason, error)
        self._watcher.store(self._name, usable=False)
        threading.Thread(target=self._recover, name=f"{self._name} store", daemon=True).start()

    def stop(self) -> None:
        """End the trying."""
        self._stop.set()

    def _recover(self) -> None:
        while not self._stop.wait(PROBE_SECONDS):
            if self._works():
                self._reason = None
                _log.warning("the %s store is back", self._name)
                self._watcher.store(self._name, usable=True)
                return

    def _works(self) -> bool:
        began = perf_counter()
        try:
            self._probe()
        except Exception:
            return False
        return perf_counter() - began <= DEADLINE_SECONDS
