import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Taken:
    """What a step took: wall seconds, and the process' peak resident memory meanwhile in MB."""

    title: str
    seconds: float
    megabytes: float


def timed(title: str, step: Callable[[], object]) -> Taken:
    """Run a step and measure it."""
    reset_peak()
    began = time.perf_counter()
    step()
    return Taken(title, time.perf_counter() - began, peak_megabytes())


def reset_peak() -> None:
    """Forget the peak of this process' memory so far, where the kernel lets us (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_megabytes() -> float:
    """Return the peak of resident memory since `reset_peak`, or of the whole process where nothing reset it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
