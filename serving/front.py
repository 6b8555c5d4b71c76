"""The desk that answers are made at: laid anew by a publication or by placements, restocked when the stock changed."""

import threading
from dataclasses import dataclass
from time import perf_counter

from recsys.answers.desk import Desk
from recsys.answers.policy import Placements
from recsys.artifacts.publication import Publication
from serving.live_reads import LiveReads, Stock

REST = 4
"""After a restocking that took so long, requests go on with it for this many times as long."""


@dataclass(frozen=True, slots=True)
class _Laid:
    """A desk, the stock it was made with, since when stock counts (UTC seconds), and when it may be restocked."""

    desk: Desk
    stock: Stock
    since: float
    resting_until: float


class Front:
    """Holds the desk by one reference: a request takes it once, whoever makes a new one swaps it."""

    def __init__(self, live: LiveReads) -> None:
        self._live = live
        self._laid: _Laid | None = None
        self._swapping = threading.Lock()

    @property
    def laid(self) -> Desk | None:
        """The desk as it is; None = nothing was published yet."""
        return None if self._laid is None else self._laid.desk

    @property
    def version(self) -> int | None:
        """The version of the stock that the desk is laid with; None = it is not up to date."""
        return None if self._laid is None else self._live.version(self._laid.stock)

    def desk(self) -> Desk | None:
        """Return the desk with the stock of now; restocking takes some part of a millisecond, once a change."""
        laid = self._laid
        if laid is None:
            return None
        stock = self._live.stock(laid.since)
        if stock is laid.stock:
            return laid.desk
        began = perf_counter()
        if began < laid.resting_until:
            return laid.desk
        desk = laid.desk.restocked(stock)
        ended = perf_counter()
        self._swap(_Laid(desk, stock, laid.since, ended + REST * (ended - began)), instead_of=laid)
        return desk

    def lay(self, publication: Publication, placements: Placements) -> None:
        """Make the desk anew; takes some milliseconds, so it is not for the event loop's thread."""
        since = publication.as_of.instant.timestamp()
        stock = self._live.stock(since)
        laid = _Laid(Desk.of(publication, placements, stock), stock, since, 0.0)
        with self._swapping:
            self._laid = laid

    def _swap(self, laid: _Laid, *, instead_of: _Laid) -> None:
        with self._swapping:
            if self._laid is instead_of:
                self._laid = laid
