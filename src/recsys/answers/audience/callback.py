"""Sends an export to a receiver that the retailer has named, signed with a secret that both know."""

import hashlib
import hmac
import os
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from pydantic import field_validator

from recsys.answers.audience.export import Export
from recsys.answers.errors import DeliveryError, UnknownError
from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError, RequestError

ATTEMPTS = 3
PAUSE_SECONDS = 1.0
"""After the first attempt; doubled after each."""
TIMEOUT_SECONDS = 60.0
PIECE_BYTES = 1 << 20
AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same is sent again."""


class Callback(Settings):
    """A receiver. url: takes a POST. secret_env: the environment variable that holds the secret."""

    url: str
    secret_env: str

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was taken by a receiver. digest: SHA-256 of the file, in hexadecimal."""

    callback: str
    delivery_id: str
    status: int
    attempts: int
    members: int
    withheld: int
    bytes: int
    digest: str


def read_callbacks(path: Path) -> Mapping[str, Callback]:
    """Read `callbacks.toml`, a table for each receiver; without the file there are none."""
    if not path.is_file():
        return {}
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path.name}: {name}", "must be a table with url and secret_env")
    return {name: Callback.checked(table) for name, table in tables.items()}


def receiver(callbacks: Mapping[str, Callback], name: str) -> tuple[Callback, bytes]:
    """Return a receiver and its secret; `UnknownError` when there is none of that name, `RequestError` without secret.

    Exports leave for named receivers only, so that whoever holds a key cannot have members sent anywhere.
    """
    callback = callbacks.get(name)
    if callback is None:
        raise UnknownError("callback", f"{name!r} is no receiver; callbacks.toml in the home lists them")
    secret = os.environ.get(callback.secret_env, "")
    if not secret:
        raise RequestError("callback", f"has no secret: {callback.secret_env} is not set where this runs")
    return callback, secret.encode()


def signature(secret: bytes, timestamp: int, subject: str, body: IO[bytes]) -> str:
    """HMAC-SHA256 over `<timestamp>.<subject>.` and the body, in hexadecimal."""
    mac = hmac.new(secret, f"{timestamp}.{subject}.".encode(), hashlib.sha256)
    body.seek(0)
    while piece := body.read(PIECE_BYTES):
        mac.update(piece)
    return mac.hexdigest()


def deliver(export: Export, callback: Callback, secret: bytes, *, pause: float = PAUSE_SECONDS) -> Delivery:
    """Post an export; it is sent again, under the same id, when the receiver is away or says that it is not able.

    Headers: `x-recsys-subject` (`<audience>.v<version>.<arm>.<format>`), `x-recsys-delivery`, `x-recsys-timestamp` (UTC
    seconds), `x-recsys-signature` (`sha256=` and `signature`), `x-recsys-members`.
    `DeliveryError` when the receiver does not take it.
    """
    draft, wanted = export.version.draft, export.wanted
    subject = f"{draft.audience_id}.v{export.version.version}.{wanted.part}.{wanted.kind}"
    delivery_id = uuid.uuid4().hex
    with tempfile.TemporaryFile() as body:
        digest = hashlib.sha256()
        for piece in export.chunks:
            digest.update(piece)
            body.write(piece)
        size = body.tell()
        reason = ""
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                time.sleep(pause * 2 ** (attempt - 2))
            timestamp = int(time.time())
            headers = {
                "content-type": wanted.kind.media_type,
                "content-length": str(size),
                "x-recsys-subject": subject,
                "x-recsys-delivery": delivery_id,
                "x-recsys-timestamp": str(timestamp),
                "x-recsys-signature": f"sha256={signature(secret, timestamp, subject, body)}",
                "x-recsys-members": str(export.members),
            }
            status, reason = _post(callback.url, headers, body)
            if status is not None and 200 <= status < 300:
                told = digest.hexdigest()
                return Delivery(wanted.way, delivery_id, status, attempt, export.members, export.withheld, size, told)
            if status is not None and status not in AGAIN:
                break
    raise DeliveryError(wanted.way, reason)


def _post(url: str, headers: Mapping[str, str], body: IO[bytes]) -> tuple[int | None, str]:
    """Return the status, None when there was no answer, and what to say of it."""
    body.seek(0)
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return int(answer.status), f"answered {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"answered {error.code}"
    except (OSError, HTTPException) as error:
        return None, f"could not be reached: {type(error).__name__}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Members go to the address that was set, not to one that it names."""

    def redirect_request(self, *_: Any) -> None:
        return None
