"""Posts to an address of the retailer's, signed so that the receiver can tell that they are ours, whole and fresh.

All posts are signed alike. The receiver computes HMAC-SHA256, under the secret that both know, of `<t>.<subject>.` and
the body: t is the unix seconds of the header `SIGNATURE`, the subject is the header `SUBJECT`. It takes the post when
that, in hexadecimal, is the v1 of `SIGNATURE` and t is not long ago, and takes each value of `DELIVERY` once.
"""

import hashlib
import hmac
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import IO

from recsys.core.errors import RecsysError

SIGNATURE = "X-Recsys-Signature"
"""Header: `t=<unix seconds>,v1=<hex>`."""
SUBJECT = "X-Recsys-Subject"
"""Header: what the body is; signed with it, so that a body cannot be passed off as another."""
DELIVERY = "X-Recsys-Delivery"
"""Header: the same for every attempt at one delivery, so that a receiver can take it once."""
ATTEMPTS = 3
TIMEOUT = 60.0
AGAIN = (408, 425, 429)
"""Statuses after which, as after any 5xx, the same is sent again."""
_PIECE = 1 << 20


class PostError(RecsysError):
    """A post was not taken: `reason` says why; the address is not told, as it may hold a secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted.

    subject, delivery: the headers of these names. body: open for reading, from its beginning on, again and again.
    more: further headers; they are not signed.
    """

    subject: str
    delivery: str
    content_type: str
    body: IO[bytes]
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """A post that was taken. status: what it was answered with. attempts: how often it was sent."""

    status: int
    attempts: int


def signature(secret: str, at: int, subject: str, body: IO[bytes]) -> str:
    """Return the value of the header `SIGNATURE`. at: unix seconds. body: read from its beginning to its end."""
    mac = hmac.new(secret.encode(), f"{at}.{subject}.".encode(), hashlib.sha256)
    body.seek(0)
    while piece := body.read(_PIECE):
        mac.update(piece)
    return f"t={at},v1={mac.hexdigest()}"


def signed_well(body: bytes, secret: str, headers: Mapping[str, str], *, now: float, tolerance: float = 300.0) -> bool:
    """Tell whether a body came as it was signed under the secret, within so many seconds of now: a receiver's check.

    headers: of the post, by names in any case.
    """
    told = {name.lower(): value for name, value in headers.items()}
    signed = told.get(SIGNATURE.lower(), "")
    try:
        at = int(dict(part.split("=", 1) for part in signed.split(",") if "=" in part).get("t", ""))
    except ValueError:
        return False
    due = signature(secret, at, told.get(SUBJECT.lower(), ""), io.BytesIO(body))
    return abs(now - at) <= tolerance and hmac.compare_digest(due, signed)


def post_signed(
    url: str, message: Message, secret: str, *, attempts: int = ATTEMPTS, wait: Callable[[float], None] = time.sleep
) -> Taken:
    """Post a message, again after 1, 2, 4... seconds when there is no answer or an `AGAIN`; redirects are not followed.

    url: http or https. wait: how to let seconds pass.
    `PostError` when it was not taken with a 2xx in so many attempts, or was refused.
    """
    if not url.startswith(("http://", "https://")):
        raise PostError("the address is neither http nor https")
    size = message.body.seek(0, io.SEEK_END)
    reason = "was not tried"
    for attempt in range(1, attempts + 1):
        if attempt > 1:
            wait(2.0 ** (attempt - 2))
        headers = {
            **message.more,
            "Content-Type": message.content_type,
            "Content-Length": str(size),
            SUBJECT: message.subject,
            DELIVERY: message.delivery,
            SIGNATURE: signature(secret, int(time.time()), message.subject, message.body),
        }
        message.body.seek(0)
        status, reason = _post(urllib.request.Request(url, data=message.body, headers=headers, method="POST"))
        if status is not None and 200 <= status < 300:
            return Taken(status, attempt)
        if status is not None and status < 500 and status not in AGAIN:
            break
    raise PostError(reason)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the body is for this address only."""


def _post(request: urllib.request.Request) -> tuple[int | None, str]:
    """Post once; return the status, None when there was no answer, and what to say of it."""
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return int(answer.status), f"answered {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"answered {error.code}"
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", error)
        return None, f"could not be reached: {type(why).__name__}"
