"""The one place where what went wrong becomes an HTTP status and a body."""

import logging
from dataclasses import dataclass, field
from typing import Self

from pydantic import ValidationError

from recsys.answers.errors import DeliveryError, UnknownError
from recsys.core.errors import MissingError, RecsysError, RequestError

MAX_SAID = 200
MAX_BROKEN = 100
LATER = 5
"""Seconds after which a caller may try again what cannot be answered yet."""

Headers = tuple[tuple[bytes, bytes], ...]

WORDS = {
    "extra_forbidden": "is not taken here; leave it out or mend its name (/docs lists what is taken)",
    "missing": "is needed and was not given",
}
"""What the validator says too briefly, by its own name of the rule."""

_log = logging.getLogger("recsys.serving")


class RefusedError(RecsysError):
    """A request that is turned away before it is looked into.

    retry_after: whole seconds after which it may be sent again; None = sending it again does not help.
    headers: more that the answer must carry.
    """

    def __init__(
        self, status: int, field: str | None, rule: str, *, retry_after: int | None = None, headers: Headers = ()
    ) -> None:
        super().__init__(field=field, rule=rule)
        self.status = status
        again = () if retry_after is None else ((b"retry-after", b"%d" % retry_after),)
        self.headers = (*again, *headers)


@dataclass(frozen=True, slots=True)
class Failure:
    """What an answer that went wrong says.

    Both are cut to 200 characters, as they may repeat parts of the request.
    field: the part of the request to mend, dotted; None = nothing in the request is wrong.
    rule: what it must be.
    """

    field: str | None
    rule: str

    @classmethod
    def of(cls, field: object, rule: object) -> Self:
        """Tell what is wrong with a field."""
        return cls(None if field is None else str(field)[:MAX_SAID], str(rule)[:MAX_SAID])


@dataclass(frozen=True, slots=True)
class Told:
    """An error as it is sent."""

    status: int
    failure: Failure
    headers: Headers = field(default=())


def told(error: Exception) -> Told:
    """Return an error as it is sent; what is not foreseen is logged and told as 500 without detail."""
    match error:
        case ValidationError():
            return _validation(error)
        case RefusedError():
            return Told(error.status, Failure.of(error.fields["field"], error.fields["rule"]), error.headers)
        case RequestError():
            status = 404 if isinstance(error, UnknownError) else 422
            return Told(status, Failure.of(error.fields["field"], error.fields["rule"]))
        case DeliveryError():
            return Told(502, Failure("callback", f"{error.fields['callback']} {error.fields['reason']}"))
        case MissingError():
            rule = f"there is no {error.fields['what']} yet; run `{error.fields['step']}`"
            return Told(503, Failure(None, rule), ((b"retry-after", b"%d" % LATER),))
        case _:
            _log.error("request failed", exc_info=error)
            return Told(500, Failure(None, "failed inside the service; its log says why"))


def first_broken(error: ValidationError) -> Failure:
    """Tell the first rule that is broken, in the words that callers see."""
    broken = error.error_count()
    if broken > MAX_BROKEN:  # to list them all would hold up every other request
        return Failure("body", f"breaks {broken} rules")
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return Failure.of(where, WORDS.get(first["type"], first["msg"]))


def _validation(error: ValidationError) -> Told:
    told = first_broken(error)
    if error.error_count() == 1 and error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
        return Told(400, Failure("body", told.rule))
    return Told(422, told)
