import io
import time
from collections.abc import Callable, Iterator

import pytest

from recsys.core.webhook import DELIVERY, SIGNATURE, SUBJECT, Message, PostError, post_signed, signature, signed_well
from tests.receiver import Receiver, receivers

BODY = '{"分群": "高频低额"}'.encode()
SECRET = "秘密"


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiver]]:
    with receivers() as make:
        yield make


def message() -> Message:
    return Message("alerts", "d1", "application/json", io.BytesIO(BODY), {"X-More": "3"})


def send(receiver: Receiver, attempts: int = 3) -> list[float]:
    waits: list[float] = []
    taken = post_signed(receiver.url, message(), SECRET, attempts=attempts, wait=waits.append)
    assert (taken.status // 100, taken.attempts) == (2, len(waits) + 1)
    return waits


def test_a_body_arrives_as_it_was_signed(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(204)
    assert send(receiver) == []
    ((path, headers, body),) = receiver.got
    assert (path, body, headers["Content-Type"], headers[DELIVERY]) == ("/hooks", BODY, "application/json", "d1")
    assert (headers[SUBJECT], headers["X-More"]) == ("alerts", "3")
    assert signed_well(body, SECRET, headers, now=time.time())
    assert not signed_well(body + b" ", SECRET, headers, now=time.time())
    assert not signed_well(body, "another", headers, now=time.time())
    assert not signed_well(body, SECRET, headers, now=time.time() + 301)
    assert not signed_well(body, SECRET, headers | {SUBJECT: "export"}, now=time.time())


def test_a_receiver_that_stumbles_is_tried_again_with_the_same_delivery(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(500, 425, 200)
    assert send(receiver) == [1, 2]
    assert [headers[DELIVERY] for _, headers, _ in receiver.got] == ["d1"] * 3
    assert all(signed_well(body, SECRET, headers, now=time.time()) for _, headers, body in receiver.got)


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (404, 1), (302, 1), (503, 3)])
def test_what_is_refused_is_told(receiving: Callable[..., Receiver], status: int, tries: int) -> None:
    receiver = receiving(status)
    with pytest.raises(PostError) as caught:
        send(receiver)
    assert caught.value.fields == {"reason": f"answered {status}"}
    assert [path for path, *_ in receiver.got] == ["/hooks"] * tries


def test_a_receiver_that_is_away_is_told_without_its_address(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(200)
    receiver.stop()
    receiver.server.server_close()
    with pytest.raises(PostError) as caught:
        send(receiver, attempts=1)
    assert "could not be reached" in str(caught.value.fields["reason"])
    assert "127.0.0.1" not in str(caught.value)


def test_only_http_is_spoken() -> None:
    with pytest.raises(PostError):
        post_signed("file:///etc/passwd", message(), SECRET)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", "nonsense"])
def test_a_header_that_is_none_is_not_taken(header: str) -> None:
    assert not signed_well(BODY, SECRET, {SIGNATURE: header}, now=1)


def test_the_signature_is_what_openssl_gives_for_the_same() -> None:
    digest = "545b6fd92f9ee12a8833355ede3e15ce3d0898f71176e81902c1c34053a9d115"
    assert signature("key", 1, "subject", io.BytesIO(b"body")) == f"t=1,v1={digest}"
