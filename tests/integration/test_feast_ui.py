import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from recsys.core.config import Home
from training.feature_store import apply

pytest.importorskip("grpc", reason="feast ui needs the extra feast[grpcio]")

REPOSITORY = Path(__file__).parents[2] / "features"


@pytest.mark.slow
def test_the_ui_shows_the_definitions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    apply(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(REPOSITORY), "ui", "-h", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env={**os.environ, "RECSYS_HOME": str(home.root)}) as server:
        try:
            assert b"<html" in fetch(f"http://127.0.0.1:{port}/", seconds=180)
            assert b"days_since_purchase" in fetch(
                f"http://127.0.0.1:{port}/api/v1/features/member/days_since_purchase?project=recsys", seconds=10
            )
        finally:
            server.terminate()


def fetch(address: str, *, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(address, timeout=10) as answer:
                body: bytes = answer.read()
                return body
        except URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
