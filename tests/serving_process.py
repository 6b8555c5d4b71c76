"""A real `bentoml serve` process for tests: its own port, home and log; ended with its workers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_WITHIN = 60.0


@dataclass(frozen=True)
class Running:
    """A service that was ready after `start_seconds`."""

    url: str
    log: Path
    start_seconds: float


@contextlib.contextmanager
def serving(command: Sequence[str], home: Path, working_folder: Path) -> Iterator[Running]:
    """Run a serve command (host, port and timeout are added) until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = working_folder / "serve.log"
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR")},
        "RECSYS_HOME": str(home),
        "BENTOML_HOME": str(working_folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    arguments = [*command, "--host", "127.0.0.1", "--port", str(port), "--timeout", "10"]
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=working_folder,
            env=environment,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield Running(url, log, time.perf_counter() - started)
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


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/livez", timeout=2).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))
