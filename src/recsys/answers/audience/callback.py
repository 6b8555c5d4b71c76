"""Sends an export to a receiver that the retailer has named, signed with a secret that both know."""

import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import field_validator

from recsys.answers.audience.export import Export
from recsys.answers.errors import DeliveryError, UnknownError
from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError, RequestError
from recsys.core.webhook import Message, PostError, post_signed

MEMBERS = "X-Recsys-Members"


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


def receiver(callbacks: Mapping[str, Callback], name: str) -> tuple[Callback, str]:
    """Return a receiver and its secret; `UnknownError` when there is none of that name, `RequestError` without secret.

    Exports leave for named receivers only, so that whoever holds a key cannot have members sent anywhere.
    """
    callback = callbacks.get(name)
    if callback is None:
        raise UnknownError("callback", f"{name!r} is no receiver; callbacks.toml in the home lists them")
    secret = os.environ.get(callback.secret_env, "")
    if not secret:
        raise RequestError("callback", f"has no secret: {callback.secret_env} is not set where this runs")
    return callback, secret


def deliver(export: Export, callback: Callback, secret: str, *, wait: Callable[[float], None] = time.sleep) -> Delivery:
    """Post an export, signed as `core.webhook` says; it is sent again when the receiver is away or not able.

    The subject is `<audience>.v<version>.<arm>.<format>`; the header `MEMBERS` tells how many members there are.
    wait: how to let seconds pass. `DeliveryError` when the receiver does not take it.
    """
    draft, wanted = export.version.draft, export.wanted
    subject = f"{draft.audience_id}.v{export.version.version}.{wanted.part}.{wanted.kind}"
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as body:
        for piece in export.chunks:
            digest.update(piece)
            body.write(piece)
        size = body.tell()
        more = {MEMBERS: str(export.members)}
        message = Message(subject, uuid.uuid4().hex, wanted.kind.media_type, body, more)
        try:
            taken = post_signed(callback.url, message, secret, wait=wait)
        except PostError as error:
            raise DeliveryError(wanted.way, str(error.fields["reason"])) from error
    return Delivery(
        wanted.way,
        message.delivery,
        taken.status,
        taken.attempts,
        export.members,
        export.withheld,
        size,
        digest.hexdigest(),
    )
