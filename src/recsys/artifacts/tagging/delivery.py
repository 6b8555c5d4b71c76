"""Sends alerts to the webhook of the settings, each publication's once."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.artifacts.tagging.history import Entry
from recsys.artifacts.tagging.settings import Webhook
from recsys.core.folders import write_text
from recsys.core.webhook import Message, PostError, post_signed

STALE_DAYS = 7
"""Alerts that could not be sent are tried again for so many days of publications."""
TYPE = "segment_alerts"
"""What the body is, in the body and as the subject of the post."""
_DELIVERED = "delivered"

Post = Callable[[str, bytes, str, str], None]
"""Posts to an address: url, body, secret, delivery; `PostError` when it is not taken."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a publication's alerts. trouble: why they were not taken; None = they were."""

    publication: str
    alerts: int
    trouble: str | None


def post(url: str, body: bytes, secret: str, delivery: str) -> None:
    """Post for real."""
    post_signed(url, Message(TYPE, delivery, "application/json", io.BytesIO(body)), secret)


def send_alerts(
    root: Path, line: Sequence[Entry], webhook: Webhook, environment: Mapping[str, str], send: Post = post
) -> tuple[Sent, ...]:
    """Send what was not sent yet and tell what became of it; nothing that goes wrong here is raised.

    root: Home.tags. line: entries, oldest first, the last one of the current publication.
    """
    found = []
    for entry in line:
        marker = root / _DELIVERED / entry.publication
        fresh = line[-1].as_of.number - entry.as_of.number <= STALE_DAYS
        if not entry.alerts or not fresh or marker.is_file():
            continue
        trouble = _send(entry, webhook, environment, send)
        if trouble is None:
            marker.parent.mkdir(parents=True, exist_ok=True)
            write_text(marker, "")
        found.append(Sent(entry.publication, len(entry.alerts), trouble))
    return tuple(found)


def body_of(entry: Entry) -> bytes:
    """Return what is posted: the publication, its day and its alerts, as JSON."""
    told = {
        "type": TYPE,
        "publication": entry.publication,
        "as_of": str(entry.as_of),
        "alerts": [alert.to_data() for alert in entry.alerts],
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def _send(entry: Entry, webhook: Webhook, environment: Mapping[str, str], send: Post) -> str | None:
    secret = environment.get(webhook.secret_env)
    if not secret:
        return f"{webhook.secret_env} is not set"
    try:
        send(webhook.url, body_of(entry), secret, entry.publication)
    except PostError as error:
        return str(error.fields["reason"])
    return None
