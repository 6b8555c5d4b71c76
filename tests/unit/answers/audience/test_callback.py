import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recsys.answers.audience.callback import MEMBERS, Callback, Delivery, deliver, read_callbacks, receiver
from recsys.answers.audience.export import Export, Part, Wanted, begin_export
from recsys.answers.audience.formats import Format
from recsys.answers.audience.make import Shelf
from recsys.answers.errors import DeliveryError, UnknownError
from recsys.artifacts.publication import Publication
from recsys.core.errors import ConfigError, RequestError
from recsys.core.webhook import DELIVERY, SUBJECT, signed_well
from recsys.store.audit import lines
from tests.audiences import ANNA, NOW, make
from tests.receiver import Receiver, receivers
from tests.serving_process import free_port

SECRET = "茶叶-secret"


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiver]]:
    with receivers() as make:
        yield make


@pytest.fixture
def export(shelf: Shelf, publication: Publication) -> Export:
    version = make(shelf, publication)
    wanted = Wanted(Format.JSONL, Part.TREATED, way="crm")
    return begin_export(shelf, version, wanted, np.empty(0, np.uint64), who=ANNA, now=NOW)


def sent(export: Export, tool: Receiver) -> Delivery:
    return deliver(export, Callback(url=tool.url, secret_env="X"), SECRET, wait=lambda _: None)


def test_a_receiver_can_tell_that_it_is_ours_and_whole(export: Export, receiving: Callable[..., Receiver]) -> None:
    tool = receiving(200)
    told = sent(export, tool)
    ((_, headers, body),) = tool.got
    assert signed_well(body, SECRET, headers, now=time.time())
    assert not signed_well(body[:-1], SECRET, headers, now=time.time())
    as_another = headers | {SUBJECT: headers[SUBJECT].replace("treated", "all")}
    assert not signed_well(body, SECRET, as_another, now=time.time())
    assert len(body.splitlines()) == export.members == int(headers[MEMBERS]) == told.members
    assert headers[SUBJECT] == f"{export.version.draft.audience_id}.v1.treated.jsonl"
    assert headers["Content-Type"] == Format.JSONL.media_type
    assert (told.callback, told.status, told.attempts, told.bytes) == ("crm", 200, 1, len(body))
    assert (told.delivery_id, told.digest) == (headers[DELIVERY], hashlib.sha256(body).hexdigest())


def test_a_receiver_that_is_not_able_is_sent_the_same_again(export: Export, receiving: Callable[..., Receiver]) -> None:
    tool = receiving(503, 429, 202)
    told = sent(export, tool)
    assert (told.status, told.attempts) == (202, 3)
    assert len({headers[DELIVERY] for _, headers, _ in tool.got}) == 1
    assert len({body for *_, body in tool.got}) == 1
    assert all(signed_well(body, SECRET, headers, now=time.time()) for _, headers, body in tool.got)


@pytest.mark.parametrize(("answers", "times"), [([500], 3), ([401], 1), ([302, 200], 1)])
def test_what_is_not_taken_is_told_and_a_redirect_is_not_followed(
    export: Export, receiving: Callable[..., Receiver], answers: list[int], times: int
) -> None:
    tool = receiving(*answers)
    with pytest.raises(DeliveryError, match=f"crm.*answered {answers[0]}"):
        sent(export, tool)
    assert len(tool.got) == times


def test_nobody_there_is_told(shelf: Shelf, export: Export) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(DeliveryError, match="could not be reached"):
        deliver(export, Callback(url=url, secret_env="X"), SECRET, wait=lambda _: None)
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
    assert receiver(callbacks, "crm") == (Callback(url="https://crm.example/in", secret_env="CRM_SECRET"), "s")


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
