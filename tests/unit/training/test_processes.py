import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.core.config import Home
from recsys.core.errors import ConfigError, MissingError
from training import processes

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"name": "' + sys.argv[2].encode() + b'"}')
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    for name in processes.names(made):
        processes.stop(name, made)


def command(port: int, name: str = "first") -> list[str]:
    return [sys.executable, "-c", SERVER, str(port), name]


def test_what_was_started_is_found_and_stopped(home: Home, port: int) -> None:
    ready = f"http://127.0.0.1:{port}/"
    pid = processes.start("serve", command(port), home, ready=ready)
    assert processes.answers(ready) == {"name": "first"}
    assert dict(processes.names(home)) == {"serve": pid}
    assert processes.start("serve", command(port, "second"), home, ready=ready) == pid
    assert processes.stop("serve", home)
    assert processes.answers(ready) is None
    assert not processes.stop("serve", home)


def test_a_strangers_answer_is_not_taken_for_ours(home: Home, port: int, tmp_path: Path) -> None:
    ready = f"http://127.0.0.1:{port}/"
    processes.start("serve", command(port), home, ready=ready)
    with pytest.raises(ConfigError, match="something else answers"):
        processes.start("serve", command(port), Home(tmp_path / "other"), ready=ready)


def test_a_process_id_that_came_again_is_left_alone(home: Home) -> None:
    home.run.mkdir()
    (home.run / "serve.pid").write_text(f"{os.getpid()} 1", encoding="utf-8")
    assert processes.running("serve", home) is None
    assert not processes.stop("serve", home)


def test_one_that_ends_at_once_names_its_log(home: Home, port: int) -> None:
    with pytest.raises(MissingError, match=r"serve\.log"):
        processes.start(
            "serve", [sys.executable, "-c", "raise SystemExit('端口')"], home, ready=f"http://127.0.0.1:{port}/"
        )
    assert "端口" in (home.run / "serve.log").read_text(encoding="utf-8")
