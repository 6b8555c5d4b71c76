import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from recsys.core.config import Home
from recsys.core.errors import BusyError


@contextmanager
def alone(home: Home, what: str) -> Iterator[None]:
    """Hold the right to do something in a home for a block; `BusyError` when another process has it.

    The kernel gives it back when the process ends, however it ends.
    """
    home.run.mkdir(parents=True, exist_ok=True)
    with (home.run / f"{what}.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise BusyError(f"{what} in {home.root}", lock.read().strip() or "just now") from error
        lock.truncate(0)
        lock.write(f"{datetime.now(UTC).isoformat(' ', 'seconds')} (process {os.getpid()})")
        lock.flush()
        yield
