"""Ids of recommendations that say themselves what they are of, so that nothing is written down when one is made."""

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_bytes
from urllib.parse import quote, unquote_to_bytes

from recsys.core.errors import RequestError

MAX_LENGTH = 1024
"""No id is longer: placements and variants have names of at most `NAME_LENGTH` characters, variants plain ones."""

NAME_LENGTH = 40
RANDOM_BYTES = 12
_MARK = "r1"
_PARTS = 6
_RANDOM = re.compile(r"[A-Za-z0-9_-]{16}")
_FIELD = re.compile(r"(?:[A-Za-z0-9_-]|~[0-9A-F]{2})*")


@dataclass(frozen=True, slots=True)
class RecommendationId:
    """What an id says.

    random: 16 characters that no two recommendations share.
    model_version: of the ranking model; None = none was published.
    """

    random: str
    placement: str
    variant: str
    publication: str
    model_version: str | None


def make(placement: str, variant: str, publication: str, model_version: str | None) -> str:
    """Make a new id out of letters, digits and `_.~-`, which stand in a URL as they are."""
    return prefix() + suffix(placement, variant, publication, model_version)


def prefix() -> str:
    """Return the part that differs from one recommendation to the next."""
    return f"{_MARK}.{urlsafe_b64encode(token_bytes(RANDOM_BYTES)).decode()}"


def suffix(placement: str, variant: str, publication: str, model_version: str | None) -> str:
    """Return the part that all recommendations of one placement, variant and publication share."""
    return "".join(f".{_escaped(field)}" for field in (placement, variant, publication, model_version or ""))


def parse(text: str) -> RecommendationId:
    """Read an id back; `RequestError` names `recommendation_id` when it is none of ours."""
    parts = text.split(".") if len(text) <= MAX_LENGTH else []
    if len(parts) != _PARTS or parts[0] != _MARK or not _RANDOM.fullmatch(parts[1]):
        raise _none_of_ours()
    placement, variant, publication, model_version = map(_plain, parts[2:])
    if not placement or not variant or not publication:
        raise _none_of_ours()
    return RecommendationId(parts[1], placement, variant, publication, model_version or None)


def _escaped(field: str) -> str:
    """Write every byte but letters, digits, `_` and `-` as ~ and two hex digits."""
    return quote(field, safe="").replace("~", "%7E").replace(".", "%2E").replace("%", "~")


def _plain(field: str) -> str:
    if not _FIELD.fullmatch(field):
        raise _none_of_ours()
    try:
        return unquote_to_bytes(field.replace("~", "%")).decode()
    except UnicodeDecodeError:
        raise _none_of_ours() from None


def _none_of_ours() -> RequestError:
    return RequestError("recommendation_id", "is none that was given out here")
