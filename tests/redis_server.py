"""A real Redis for tests: Debian's, installed where it is missing and may be, run in a folder of its own."""

import contextlib
import functools
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotYet

from tests.debian import install
from tests.serving_process import free_port

READY_WITHIN = 20.0
INSTALL_WITHIN = 300
PROGRAM = "redis-server"


class RedisServer:
    """A server that keeps nothing on disk; it may be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, or would."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program(), *options, "--dir", str(self._folder)], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_WITHIN
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except NotYet:
                    assert time.monotonic() < deadline, (self._folder / "log").read_text(encoding="utf-8")
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """End it at once, with all that it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let it neither answer nor hang up until the block ends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server until the block ends. Skips, saying why, where there can be none."""
    _program()
    folder = Path(tempfile.mkdtemp(prefix="recsys-redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        refused = install(PROGRAM, within=INSTALL_WITHIN)
        found = shutil.which(PROGRAM)
        if found is None:
            reason = refused or "apt-get installed it, but its program is not to be found"
            pytest.skip(f"REDIS IS NOT TESTED HERE: {reason}; run `apt-get install {PROGRAM}` and test again")
    return found
