import time
from collections.abc import Callable, Iterator

import pytest

from recsys.core.webhook import DELIVERY, SIGNATURE, DeliveryError, post_signed, signature, signed_well
from tests.receiver import Receiver

BODY = '{"分群": "高频低额"}'.encode()
SECRET = "秘密"


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(list(statuses)))
        return made[-1]

    yield make
    for receiver in made:
        receiver.stop()


def send(receiver: Receiver, attempts: int = 3) -> list[float]:
    waits: list[float] = []
    post_signed(receiver.url, BODY, SECRET, delivery="d1", attempts=attempts, wait=waits.append)
    return waits


def test_a_body_arrives_as_it_was_signed(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(204)
    assert send(receiver) == []
    ((path, headers, body),) = receiver.got
    assert (path, body, headers["Content-Type"], headers[DELIVERY]) == ("/hooks", BODY, "application/json", "d1")
    assert signed_well(body, SECRET, headers[SIGNATURE], now=time.time())
    assert not signed_well(body + b" ", SECRET, headers[SIGNATURE], now=time.time())
    assert not signed_well(body, "another", headers[SIGNATURE], now=time.time())
    assert not signed_well(body, SECRET, headers[SIGNATURE], now=time.time() + 301)


def test_a_receiver_that_stumbles_is_tried_again_with_the_same_delivery(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(500, 429, 200)
    assert send(receiver) == [1, 2]
    assert [headers[DELIVERY] for _, headers, _ in receiver.got] == ["d1"] * 3
    assert all(signed_well(body, SECRET, headers[SIGNATURE], now=time.time()) for _, headers, body in receiver.got)


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (404, 1), (302, 1), (503, 3)])
def test_what_is_refused_is_told(receiving: Callable[..., Receiver], status: int, tries: int) -> None:
    receiver = receiving(status)
    with pytest.raises(DeliveryError) as caught:
        send(receiver)
    assert caught.value.fields == {"reason": f"answered with {status}"}
    assert [path for path, *_ in receiver.got] == ["/hooks"] * tries


def test_a_receiver_that_is_away_is_told_without_its_address(receiving: Callable[..., Receiver]) -> None:
    receiver = receiving(200)
    receiver.stop()
    receiver.server.server_close()
    with pytest.raises(DeliveryError) as caught:
        send(receiver, attempts=1)
    assert "does not answer" in str(caught.value.fields["reason"])
    assert "127.0.0.1" not in str(caught.value)


def test_only_http_is_spoken() -> None:
    with pytest.raises(DeliveryError):
        post_signed("file:///etc/passwd", BODY, SECRET, delivery="d1")


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", "nonsense"])
def test_a_header_that_is_none_is_not_taken(header: str) -> None:
    assert not signed_well(BODY, SECRET, header, now=1)


def test_the_signature_is_what_openssl_gives_for_the_same() -> None:
    digest = "91b5374b153842ad05b2c4eab9349b8321b14703165bd3fb8b034dfb8be98ae5"
    assert signature(b"body", "key", 1) == f"t=1,v1={digest}"
