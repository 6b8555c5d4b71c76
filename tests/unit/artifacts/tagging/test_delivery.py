import json
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.artifacts.tagging.delivery import STALE_DAYS, Sent, send_alerts
from recsys.artifacts.tagging.history import Entry
from recsys.artifacts.tagging.movement import Alert
from recsys.artifacts.tagging.settings import Webhook
from recsys.core.webhook import PostError
from tests.publications import AS_OF

ALERT = Alert("cut", ("高",), ("low",), 140, 100.0, 0.4, 4, "2025-03-24", "2025-03-31", 7, "高 → low", "up")
HOOK = Webhook(url="https://shop.example/alerts?token=secret", secret_env="SHOP_SECRET")
ENVIRONMENT = {"SHOP_SECRET": "s"}


class Post:
    """Takes what is posted, unless it is told not to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.taken: list[tuple[str, bytes, str, str]] = []

    def __call__(self, url: str, body: bytes, secret: str, delivery: str) -> None:
        if self.fails:
            raise PostError("answered 500")
        self.taken.append((url, body, secret, delivery))


def entry(root: Path, name: str, *, days: int = 0, alerts: tuple[Alert, ...] = (ALERT,)) -> Entry:
    return Entry(root / name, AS_OF.plus(days=days), None, "", 1, {}, {}, {}, alerts)


def test_alerts_are_sent_once_with_all_that_they_say(tmp_path: Path) -> None:
    line, post = [entry(tmp_path, "p1")], Post()
    assert send_alerts(tmp_path, line, HOOK, ENVIRONMENT, post) == (Sent("p1", 1, None),)
    assert send_alerts(tmp_path, line, HOOK, ENVIRONMENT, post) == ()
    ((url, body, secret, delivery),) = post.taken
    assert (url, secret, delivery) == (HOOK.url, "s", "p1")
    told = json.loads(body)
    assert (told["type"], told["publication"], told["as_of"]) == ("segment_alerts", "p1", str(AS_OF))
    assert Alert.of(told["alerts"][0]) == ALERT
    assert "高 → low".encode() in body


def test_what_was_not_taken_is_sent_with_the_next_publication(tmp_path: Path) -> None:
    line = [entry(tmp_path, "p1", days=-STALE_DAYS), entry(tmp_path, "p2")]
    assert [one.trouble for one in send_alerts(tmp_path, line[:1], HOOK, ENVIRONMENT, Post(fails=True))] == [
        "answered 500"
    ]
    post = Post()
    send_alerts(tmp_path, line, HOOK, ENVIRONMENT, post)
    assert [delivery for *_, delivery in post.taken] == ["p1", "p2"]


def test_old_alerts_and_publications_without_any_are_not_sent(tmp_path: Path) -> None:
    line = [entry(tmp_path, "p1", days=-STALE_DAYS - 1), entry(tmp_path, "p2", alerts=())]
    post = Post()
    assert send_alerts(tmp_path, line, HOOK, ENVIRONMENT, post) == ()
    assert post.taken == []


@pytest.mark.parametrize("environment", [{}, {"SHOP_SECRET": ""}])
def test_a_secret_that_is_not_set_is_named_and_nothing_is_sent(tmp_path: Path, environment: dict[str, str]) -> None:
    post = Post()
    (sent,) = send_alerts(tmp_path, [replace(entry(tmp_path, "p1"))], HOOK, environment, post)
    assert (sent.trouble, post.taken) == ("SHOP_SECRET is not set", [])
