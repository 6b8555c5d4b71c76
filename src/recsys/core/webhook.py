"""Posts to an address of the retailer's, signed so that the receiver can tell that they are ours and not replayed."""

import hashlib
import hmac
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from recsys.core.errors import RecsysError

SIGNATURE = "X-Recsys-Signature"
"""Header: `t=<unix seconds>,v1=<hex>`, hex being HMAC-SHA256, under the secret, of `<unix seconds>.` and the body."""
DELIVERY = "X-Recsys-Delivery"
"""Header: the same for every attempt at one delivery, so that a receiver can take it once."""
TIMEOUT = 10.0


class DeliveryError(RecsysError):
    """A post was not taken: `reason` says why; the address is not told, as it may hold a secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the value of the header `SIGNATURE`. at: unix seconds."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def signed_well(body: bytes, secret: str, header: str, *, now: float, tolerance: float = 300.0) -> bool:
    """Tell whether a header is the body's own, made under the secret within so many seconds of now."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    try:
        at = int(parts.get("t", ""))
    except ValueError:
        return False
    return abs(now - at) <= tolerance and hmac.compare_digest(signature(body, secret, at), header)


def post_signed(
    url: str,
    body: bytes,
    secret: str,
    *,
    delivery: str,
    content_type: str = "application/json",
    attempts: int = 3,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Post a body, again after 1, 2, 4... seconds when there is no answer, a 429 or a 5xx; redirects are not followed.

    url: http or https. delivery: the header `DELIVERY`. wait: how to let seconds pass.
    `DeliveryError` when it was not taken with a 2xx in so many attempts, or was refused.
    """
    if not url.startswith(("http://", "https://")):
        raise DeliveryError("the address is neither http nor https")
    reason = "was not tried"
    for attempt in range(attempts):
        if attempt:
            wait(2.0 ** (attempt - 1))
        at = int(time.time())
        headers = {"Content-Type": content_type, SIGNATURE: signature(body, secret, at), DELIVERY: delivery}
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        refusal = _post(request)
        if refusal is None:
            return
        reason = refusal.reason
        if not refusal.again:
            break
    raise DeliveryError(reason)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a post was not taken. again: whether another attempt makes sense."""

    reason: str
    again: bool


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the body is for this address only."""


def _post(request: urllib.request.Request) -> _Refusal | None:
    """Post once; None when it was taken."""
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return _Refusal(f"answered with {error.code}", error.code == 429 or error.code >= 500)
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", error)
        return _Refusal(f"does not answer: {type(why).__name__}", again=True)
