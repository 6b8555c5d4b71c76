from recsys.core.errors import RecsysError, RequestError


class UnknownError(RequestError):
    """The request names a member, product or category that the publication does not have."""


class DeliveryError(RecsysError):
    """A receiver did not take what was sent: `callback` names it, `reason` says what it did."""

    def __init__(self, callback: str, reason: str) -> None:
        super().__init__(callback=callback, reason=reason)
