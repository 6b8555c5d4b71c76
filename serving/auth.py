"""Who may call what, and how often: looked up in memory, before a request is read."""

import math
from collections.abc import Mapping, MutableMapping
from time import monotonic
from typing import Any

from recsys.store.keys import Key, Role, split_key
from serving.call import HERE, Caller
from serving.errors import RefusedError
from serving.keyring import Keyring

SCHEME = b"bearer "
ASK = ((b"www-authenticate", b'Bearer realm="recsys"'),)
HEADER = "authorization"
NO_KEYS = "this service has no keys yet and answers its own machine only; make one with `recsys keys create`"
NOT_READ = "the keys were not read yet, as the database does not answer"
NOT_SHOWN = "send a key: `authorization: Bearer <key>`, or `x-api-key: <key>`"
NOT_KNOWN = "is no key of this service, or was revoked, or has expired"


class Bucket:
    """A token bucket: `per_second` tokens come back each second, and at most a second's worth is saved up."""

    __slots__ = ("_at", "_per_second", "_room", "_tokens")

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._room = max(1.0, per_second)
        self._tokens = self._room
        self._at = now

    def take(self, now: float) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        self._tokens = min(self._room, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0


class Gate:
    """Lets callers in by their keys. Without any key there ever was, callers on this machine may do everything."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._buckets: dict[str, Bucket] = {}

    def admit(self, scope: MutableMapping[str, Any], needed: Role) -> Caller:
        """Return who calls, when they may call what needs a role; `RefusedError` 401, 403, 429 or 503 says why not."""
        known = self._keyring.known
        if known is None:
            raise RefusedError(503, None, NOT_READ, retry_after=1)
        if not known.any_made:
            if not _on_this_machine(scope):
                raise RefusedError(401, HEADER, NO_KEYS, headers=ASK)
            return HERE
        key = _key(scope, known.standing)
        if not key.role.covers(needed):
            raise RefusedError(403, HEADER, f"this needs a key of the role {needed} or above; yours is {key.role}")
        if key.per_second is not None:
            self._take(key.key_id, key.per_second)
        return Caller(key.key_id, key.name, key.role)

    def _take(self, key_id: str, per_second: float) -> None:
        now = monotonic()
        bucket = self._buckets.get(key_id)
        if bucket is None:
            bucket = self._buckets[key_id] = Bucket(per_second, now)
        wait = bucket.take(now)
        if wait:
            raise RefusedError(
                429, HEADER, f"more than {per_second:g} requests a second of this key", retry_after=math.ceil(wait)
            )


def _key(scope: MutableMapping[str, Any], standing: Mapping[str, Key]) -> Key:
    shown = _shown(scope)
    if shown is None:
        raise RefusedError(401, HEADER, NOT_SHOWN, headers=ASK)
    parts = split_key(shown)
    key = None if parts is None else standing.get(parts[0])
    if parts is None or key is None or not key.opens(parts[1]):
        raise RefusedError(401, HEADER, NOT_KNOWN, headers=ASK)
    return key


def _shown(scope: MutableMapping[str, Any]) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[: len(SCHEME)].lower() == SCHEME:
            return str(value[len(SCHEME) :].strip(), "latin-1")
        if name == b"x-api-key":
            return str(value.strip(), "latin-1")
    return None


def _on_this_machine(scope: MutableMapping[str, Any]) -> bool:
    """Whether the caller's address is a loopback one, or it came by a socket that has none."""
    caller = scope.get("client")
    return caller is None or caller[0].startswith("127.") or caller[0] == "::1"
