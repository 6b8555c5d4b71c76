"""Steps of a run at growing sizes: each in a process of its own, so that its memory is its own."""

import math
import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """What a step took. seconds: by the clock; cpu: of processor time, 0 = not measured; gigabytes: its process at its
    largest; disk: gigabytes that it left.

    told: further seconds by name, which the step measured itself.
    """

    seconds: float
    gigabytes: float
    disk: float = 0.0
    cpu: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """When something began, by the clock and in processor time of this process."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def spent(self) -> dict[str, float]:
        """Return `seconds` and `cpu` since then."""
        return {"seconds": time.perf_counter() - self.wall, "cpu": time.process_time() - self.cpu}


def measured(work: Callable[..., Mapping[str, float]], *given: Any, leaves: Path | None = None) -> Step:
    """Run a step in a new process. leaves: the folder whose size afterwards is told."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        gigabytes, told = pool.submit(_run, work, *given).result()
    disk = 0.0 if leaves is None else size(leaves) / 1e9
    return Step(told["seconds"], gigabytes, disk, told["cpu"], told)


def size(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def exponent(figures: Mapping[int, float]) -> float:
    """Return how a figure grows with the size, from the smallest to the largest: 1 = linear, NaN = of one size only."""
    sizes = sorted(figures)
    if len(sizes) < 2 or min(figures.values()) <= 0:
        return math.nan
    low, high = sizes[0], sizes[-1]
    return math.log(figures[high] / figures[low]) / math.log(high / low)


def table(steps: Mapping[str, Mapping[int, Step]], goals: Mapping[str, str]) -> Sequence[str]:
    """Lay steps (name -> size -> what it took) out as lines of Markdown, with the growth of time and memory."""
    sizes = sorted({n for own in steps.values() for n in own})
    lines = [
        f"| step | {' | '.join(f'{n:,}' for n in sizes)} | time grows as n^ | memory grows as n^ | goal at 1,000,000 |",
        f"| --- | {' | '.join('---:' for _ in sizes)} | ---: | ---: | --- |",
    ]
    for name, own in steps.items():
        cells = " | ".join(_cell(own.get(n)) for n in sizes)
        time_grows = exponent({n: step.cpu or step.seconds for n, step in own.items()})
        memory_grows = exponent({n: step.gigabytes for n, step in own.items()})
        lines.append(f"| {name} | {cells} | {time_grows:.2f} | {memory_grows:.2f} | {goals.get(name, '')} |")
    return lines


def _cell(step: Step | None) -> str:
    if step is None:
        return ""
    disk = f", {step.disk:.2f} GB on disk" if step.disk else ""
    memory = f", {step.gigabytes:.2f} GB" if step.gigabytes else ""
    cpu = f" ({step.cpu:.3g} CPU s)" if step.cpu else ""
    return f"{step.seconds:.3g} s{cpu}{memory}{disk}"


def _run(work: Callable[..., Mapping[str, float]], *given: Any) -> tuple[float, Mapping[str, float]]:
    clock = Clock()
    told = work(*given)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, {**clock.spent(), **told}
