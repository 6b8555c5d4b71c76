from recsys.core.errors import RequestError


class UnknownError(RequestError):
    """The request names a member, product or category that the publication does not have."""
