import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from recsys.answers.audience.callback import Callback, deliver, read_callbacks, receiver
from recsys.answers.audience.export import Export, Part, Wanted, begin_export
from recsys.answers.audience.formats import Format
from recsys.answers.audience.make import Shelf
from recsys.answers.errors import DeliveryError, UnknownError
from recsys.artifacts.publication import Publication
from recsys.core.errors import ConfigError, RequestError
from recsys.store.audit import lines
from tests.audiences import ANNA, NOW, make
from tests.serving_process import free_port

SECRET = "茶叶-secret".encode()


@dataclass
class Receiver:
    """A messaging tool: what it was sent, and what it answers, the last answer again and again."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def tool() -> Iterator[Receiver]:
    tool = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            tool.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = tool.answers.pop(0) if len(tool.answers) > 1 else tool.answers[0]
            self.send_response(status)
            if status == 302:
                self.send_header("location", f"{tool.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tool.url = f"http://127.0.0.1:{server.server_port}/inbox"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tool
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def export(shelf: Shelf, publication: Publication) -> Export:
    version = make(shelf, publication)
    wanted = Wanted(Format.JSONL, Part.TREATED, way="crm")
    return begin_export(shelf, version, wanted, np.empty(0, np.uint64), who=ANNA, now=NOW)


def opens(headers: dict[str, str], body: bytes, secret: bytes = SECRET) -> bool:
    """Check a signature the way a receiver would."""
    signed = f"{headers['x-recsys-timestamp']}.{headers['x-recsys-subject']}.".encode() + body
    return hmac.compare_digest(
        headers["x-recsys-signature"], "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
    )


def test_a_receiver_can_tell_that_it_is_ours_and_whole(export: Export, tool: Receiver) -> None:
    told = deliver(export, Callback(url=tool.url, secret_env="X"), SECRET)
    ((headers, body),) = tool.taken
    assert opens(headers, body)
    assert not opens(headers, body[:-1])
    assert not opens(headers, body, b"another")
    assert not opens(headers | {"x-recsys-subject": headers["x-recsys-subject"].replace("treated", "all")}, body)
    assert len(body.splitlines()) == export.members == int(headers["x-recsys-members"]) == told.members
    assert headers["x-recsys-subject"] == f"{export.version.draft.audience_id}.v1.treated.jsonl"
    assert headers["content-type"] == Format.JSONL.media_type
    assert (told.callback, told.status, told.attempts, told.bytes) == ("crm", 200, 1, len(body))
    assert told.digest == hashlib.sha256(body).hexdigest()


def test_a_receiver_that_is_not_able_is_sent_the_same_again(export: Export, tool: Receiver) -> None:
    tool.answers = [503, 429, 202]
    told = deliver(export, Callback(url=tool.url, secret_env="X"), SECRET, pause=0.01)
    assert (told.status, told.attempts) == (202, 3)
    assert len({headers["x-recsys-delivery"] for headers, _ in tool.taken}) == 1
    assert len({body for _, body in tool.taken}) == 1
    assert all(opens(headers, body) for headers, body in tool.taken)


@pytest.mark.parametrize(("answers", "sent"), [([500], 3), ([401], 1), ([302, 200], 1)])
def test_what_is_not_taken_is_told_and_a_redirect_is_not_followed(
    export: Export, tool: Receiver, answers: list[int], sent: int
) -> None:
    tool.answers = list(answers)
    with pytest.raises(DeliveryError, match=f"crm.*answered {answers[0]}"):
        deliver(export, Callback(url=tool.url, secret_env="X"), SECRET, pause=0.01)
    assert len(tool.taken) == sent


def test_nobody_there_is_told(shelf: Shelf, export: Export) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(DeliveryError, match="could not be reached"):
        deliver(export, Callback(url=url, secret_env="X"), SECRET, pause=0.01)
    assert lines(shelf.engine, limit=1)[0].line.told["way"] == "crm"


def test_receivers_are_named_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "callbacks.toml"
    assert read_callbacks(path) == {}
    path.write_text('[crm]\nurl = "https://crm.example/in"\nsecret_env = "CRM_SECRET"\n', encoding="utf-8")
    callbacks = read_callbacks(path)
    with pytest.raises(UnknownError, match="no-such"):
        receiver(callbacks, "no-such")
    monkeypatch.delenv("CRM_SECRET", raising=False)
    with pytest.raises(RequestError, match="CRM_SECRET"):
        receiver(callbacks, "crm")
    monkeypatch.setenv("CRM_SECRET", "s")
    assert receiver(callbacks, "crm") == (Callback(url="https://crm.example/in", secret_env="CRM_SECRET"), b"s")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('[crm]\nurl = "file:///etc/passwd"\nsecret_env = "X"', "url"),
        ('[crm]\nurl = "https://x"', "secret_env"),
        ('[crm]\nurl = "https://x"\nsecret_env = "X"\nmore = 1', "more"),
        ('crm = "https://x"', "crm"),
        ("[crm", "callbacks.toml"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, setting: str) -> None:
    path = tmp_path / "callbacks.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_callbacks(path)
    assert setting in str(caught.value.fields["setting"])
