"""What a measure was made on."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path


def machine() -> str:
    """Return the processor, its number of cores and what runs on it."""
    model = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    system = f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {model or platform.machine()}, {system}"


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and all below it have used."""
    return sum(map(_own_cpu_seconds, (pid, *children(pid))))


def children(pid: int) -> Iterator[int]:
    """Yield the processes below a process, all the way down."""
    for process in Path("/proc").glob("[0-9]*"):
        stat = next(_lines(str(process / "stat")), "")
        if stat and int(stat.rpartition(")")[2].split()[1]) == pid:
            yield int(process.name)
            yield from children(int(process.name))


def _own_cpu_seconds(pid: int) -> float:
    stat = next(_lines(f"/proc/{pid}/stat"), "")
    user, system = stat.rpartition(")")[2].split()[11:13] if stat else (0, 0)
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _lines(path: str) -> Iterator[str]:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return iter(())
    return iter(text.splitlines())
