"""Load for a server on this machine: by wrk where it is installed, else by a small generator of raw sockets."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
SCRIPT = """
local sent = {}
for line in io.lines(%s) do
  sent[#sent + 1] = wrk.format("POST", nil, {["content-type"] = "application/json"}, line)
end
local i = 0
request = function() i = i %% #sent + 1; return sent[i] end
"""


@dataclass(frozen=True)
class Measured:
    """What a load met. per_second: answers. p50, p99: seconds to one. failed: those of 400 or above, and lost ones."""

    per_second: float
    p50: float
    p99: float
    failed: int


def load(url: str, bodies: Sequence[object], connections: int, seconds: float) -> Measured:
    """Post the bodies in turn over so many connections, each with one request at a time."""
    lines = [json.dumps(body, ensure_ascii=False) for body in bodies]
    return _wrk(url, lines, connections, seconds) if has_wrk() else asyncio.run(_own(url, lines, connections, seconds))


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def _wrk(url: str, lines: Sequence[str], connections: int, seconds: float) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        bodies, script = Path(folder, "bodies"), Path(folder, "post.lua")
        bodies.write_text("\n".join(lines), encoding="utf-8")
        script.write_text(SCRIPT % json.dumps(str(bodies)), encoding="utf-8")
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--latency",
            "-s",
            str(script),
            url,
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Measured(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", told)),
        p50=_seconds(_found(r"(?m)^\s+50%\s+(\S+)", told)),
        p99=_seconds(_found(r"(?m)^\s+99%\s+(\S+)", told)),
        failed=sum(map(int, re.findall(r"(?:responses:|connect|read|write|timeout) (\d+)", told))),
    )


def _found(pattern: str, told: str) -> str:
    match = re.search(pattern, told)
    if match is None:
        raise ValueError(f"wrk did not tell {pattern}:\n{told}")
    return match.group(1)


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


async def _own(url: str, lines: Sequence[str], connections: int, seconds: float) -> Measured:
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\ncontent-length: "
    sent = [f"{head}{len(line.encode())}\r\n\r\n{line}".encode() for line in lines]
    times: list[float] = []
    failed = 0
    end = time.perf_counter() + seconds

    async def one(at: int) -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.perf_counter() < end:
            began = time.perf_counter()
            writer.write(sent[at % len(sent)])
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(_found(r"content-length: (\d+)", answer.decode("latin-1").lower()))
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
            failed += not answer.startswith(b"HTTP/1.1 2")
            at += connections
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(at) for at in range(connections)))
    took = time.perf_counter() - began
    times.sort()
    return Measured(len(times) / took, times[len(times) // 2], times[int(len(times) * 0.99)], failed)
