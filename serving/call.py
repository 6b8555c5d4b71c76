"""What a handler is told beside the request's body, and an answer that is a file rather than JSON."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

from recsys.store.audit import Who
from recsys.store.keys import Role


class Caller(NamedTuple):
    """Whose key a request came with.

    key_id: empty = the service has no keys, and the caller is on its own machine. name: as the key was made for.
    """

    key_id: str
    name: str
    role: Role

    @property
    def who(self) -> Who:
        """How the audit log names them."""
        return Who(self.key_id, self.name, str(self.role))


HERE = Caller("", "this machine", Role.ADMIN)
"""Who calls while there are no keys, and who holds the service in process."""


class Call(NamedTuple):
    """A request beside its body. item: what stands in the path where the endpoint's path has a name in braces."""

    item: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is a file; sent piece by piece, each made in a thread.

    kind: the media type. name: what the file is to be called; letters, digits and `._-`.
    chunks: the file; closed when the caller goes away. headers: what else to tell of it.
    """

    kind: str
    name: str
    chunks: Generator[bytes, None, None]
    headers: tuple[tuple[bytes, bytes], ...] = ()
