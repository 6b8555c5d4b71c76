"""Real server processes for tests: each with its own port, home and log; ended with its workers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_WITHIN = 60.0
NOT_PASSED_ON = ("PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR")
NO_MORE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Running:
    """A service that was up after `start_seconds`; pid: of the process that leads its workers."""

    url: str
    log: Path
    start_seconds: float
    pid: int


@contextlib.contextmanager
def serving(
    command: Sequence[str], home: Path, working_folder: Path, *, more: Mapping[str, str] = NO_MORE
) -> Iterator[Running]:
    """Run a serve command (host, port and timeout are added) until the block ends; more: of its environment."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON},
        "RECSYS_HOME": str(home),
        "BENTOML_HOME": str(working_folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        **more,
    }
    arguments = [*command, "--host", "127.0.0.1", "--port", str(port), "--timeout", "10"]
    with running(arguments, environment, working_folder, f"http://127.0.0.1:{port}", "/livez") as service:
        yield service


@contextlib.contextmanager
def running(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    working_folder: Path,
    url: str,
    ready: str,
    *,
    within: float = READY_WITHIN,
) -> Iterator[Running]:
    """Run a server until the block ends, which begins when its `ready` path answers with any status below 500.

    within: seconds that it has for that.
    """
    log = working_folder / "serve.log"
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=working_folder,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        _wait(url + ready, process, log, within)
        yield Running(url, log, time.perf_counter() - started, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def serve_command(python: str = sys.executable, service: str = "serving.service:service") -> list[str]:
    """Serve with a Python of one's choice; the default is the one that runs the tests."""
    return [python, "-m", "bentoml", "serve", service]


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path, within: float) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address, timeout=2).status_code < 500:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))
