"""The one place where what went wrong becomes an HTTP status and a body."""

import logging
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from recsys.answers.errors import UnknownError
from recsys.core.errors import MissingError, RecsysError, RequestError

MAX_BODY = 512_000
MAX_SAID = 200
MAX_BROKEN = 100

_log = logging.getLogger("recsys.serving")


class BodyError(RecsysError):
    """A request that cannot be read at all: wrong method, no body, a body too large."""

    def __init__(self, status: int, field: str, rule: str) -> None:
        super().__init__(field=field, rule=rule)
        self.status = status


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
        return cls(str(field)[:MAX_SAID], str(rule)[:MAX_SAID])


def failure(error: Exception) -> tuple[int, Failure]:
    """Return an error's status and body; what is not foreseen is logged whole and told as 500 without detail."""
    match error:
        case ValidationError():
            return _validation(error)
        case BodyError():
            return error.status, Failure.of(error.fields["field"], error.fields["rule"])
        case UnknownError():
            return 404, Failure.of(error.fields["field"], error.fields["rule"])
        case RequestError():
            return 422, Failure.of(error.fields["field"], error.fields["rule"])
        case MissingError():
            return 503, Failure(None, f"there is no {error.fields['what']} yet; run `{error.fields['step']}`")
        case _:
            _log.error("request failed", exc_info=error)
            return 500, Failure(None, "failed inside the service; its log says why")


def _validation(error: ValidationError) -> tuple[int, Failure]:
    broken = error.error_count()
    if broken > MAX_BROKEN:  # to list them all would hold up every other request
        return 422, Failure("body", f"breaks {broken} rules")
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return 400, Failure.of("body", first["msg"])
    return 422, Failure.of(".".join(str(part) for part in first["loc"]) or "body", first["msg"])
