"""What a worker answers from: the current publication, swapped by one reference while requests go on."""

import gc
import logging
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from recsys.answers.desk import Desk
from recsys.answers.policy import Placements
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import POINTER, current
from recsys.store.live import LiveReader
from recsys.store.live_layout import place
from serving.audience_store import AudienceStore
from serving.breaker import StoreWatcher
from serving.errands import Errands
from serving.events_intake import EventIntake, Tally
from serving.front import Front
from serving.keyring import Keyring
from serving.live_reads import LiveReads
from serving.memory import Memory
from serving.online import OnlineRows
from serving.placements_file import PlacementsFile

POLL_SECONDS = 0.5
RETRY_POLLS = 20
MAX_UNKNOWN = 20
"""So many names that the placements have and the publication has not are told."""

_log = logging.getLogger("recsys.serving")


@dataclass(frozen=True)
class Refusal:
    """A publication that was pointed at and not taken."""

    publication: str
    reason: str


class Watcher(StoreWatcher, Tally, Protocol):
    """Is told of every publication and file of placements that was taken or refused, of lost stores and of events."""

    def swapped(self, as_of_number: int) -> None:
        """Hear that a publication is answered from now."""
        ...

    def refused(self) -> None:
        """Hear that a publication was refused."""
        ...

    def placements(self, *, taken: bool) -> None:
        """Hear that a changed file of placements was taken or refused."""
        ...


class State:
    """Holds the publication and the placements of this worker and follows both in a thread of its own.

    Whatever goes wrong in reading the pointer or opening what it names is a refusal: the service goes on with what it
    has, and is not ready when that is nothing. A refused publication is tried again when the pointer moves, and now and
    then: it may have been copied in slowly.
    """

    def __init__(self, home: Home, watcher: Watcher) -> None:
        self.home = home
        self.online = OnlineRows(home.online_place, watcher)
        self.live = LiveReads(LiveReader(home.live), place(home.live)[0], watcher)
        self.intake = EventIntake(home, self.zone, watcher)
        self.keyring = Keyring(home.database, lambda readable: watcher.store("keys", usable=readable))
        self.errands = Errands(home)
        self.audiences = AudienceStore(home)
        self.refusal: Refusal | None = None
        self._publication: Publication | None = None
        self._front = Front(self.live)
        self.memory = Memory(self._front, self.live)
        self._placements = PlacementsFile(home, self._lay)
        self._root = home.publications
        self._watcher = watcher
        self._skips = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="publication", daemon=True)

    @property
    def desk(self) -> Desk:
        """The desk to answer a request at; take it once a request. `MissingError` when nothing was ever published."""
        desk = self._front.desk()
        if desk is None:
            raise MissingError("publication", "recsys publish")
        return desk

    @property
    def publication(self) -> Publication:
        """The publication to answer a request from; take it once a request. `MissingError` when none was ever taken."""
        publication = self._publication
        if publication is None:
            raise MissingError("publication", "recsys publish")
        return publication

    @property
    def placements(self) -> Placements:
        """The placements to answer a request by; take them once a request."""
        return self._placements.current

    @property
    def ready(self) -> bool:
        """Whether there is a publication to answer from."""
        return self._publication is not None

    def zone(self) -> str:
        """Return the mall's time zone; without a publication it is not known, and days are cut in UTC."""
        publication = self._publication
        return "UTC" if publication is None else publication.as_of.zone

    def readiness(self) -> dict[str, Any]:
        """Tell what is answered from, what was refused, and which stores answers do without."""
        publication, wrong = self._publication, self._placements.wrong
        desk, keys = self._front.laid, self.keyring.known
        return {
            "ready": publication is not None,
            "publication": None if publication is None else publication.name,
            "as_of": None if publication is None else str(publication.as_of),
            "refused": None if self.refusal is None else asdict(self.refusal),
            "placements_refused": None if wrong is None else asdict(wrong),
            "placements_unknown": () if desk is None else desk.unknown[:MAX_UNKNOWN],
            "without": {
                name: reason
                for name, reason in (
                    ("live", self.live.trouble),
                    ("online", self.online.trouble),
                    ("keys", None if self.keyring.readable else "those last read stay in force"),
                )
                if reason is not None
            },
            "keys": None if keys is None else "in force" if keys.any_made else "none: callers on this machine only",
        }

    def start(self) -> None:
        """Take the current publication and begin to watch."""
        self.keyring.start()
        self.follow()
        self.live.look()
        self.intake.start()
        _settle()
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.intake.stop()
        self.live.stop()
        self.online.stop()
        self.keyring.stop()
        self.audiences.stop()

    def follow(self) -> bool:
        """Take what the pointer names if it is new and whole; return whether the publication changed."""
        try:
            folder = current(self._root)
        except Exception as error:
            return self._refuse(POINTER, error)
        if folder is None:
            return False
        if self._publication is not None and folder == self._publication.folder:
            self.refusal = None
            return False
        if self.refusal is not None and self.refusal.publication == folder.name and self._skips > 0:
            self._skips -= 1
            return False
        try:
            publication = Publication.open(folder)
            self._front.lay(publication, self.placements)
        except Exception as error:
            return self._refuse(folder.name, error)
        self._publication, self.refusal = publication, None
        self._watcher.swapped(publication.as_of.number)
        _log.info("answering from publication %s", publication.name)
        return True

    def follow_placements(self) -> None:
        """Take the file of placements if it changed and is right."""
        if self._placements.follow():
            self._watcher.placements(taken=self._placements.wrong is None)

    def _lay(self, placements: Placements) -> None:
        """Answer by other placements, as soon as there is something to answer from."""
        if self._publication is not None:
            self._front.lay(self._publication, placements)

    def _refuse(self, name: str, error: Exception) -> bool:
        refusal = Refusal(name, _reason(error))
        if refusal != self.refusal:
            _log.error("refused publication %s: %s (%r)", name, refusal.reason, error)
            self._watcher.refused()
        self.refusal, self._skips = refusal, RETRY_POLLS
        return False

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.live.look()
                self.follow_placements()
                swapped = self.follow()
            except Exception:
                _log.exception("following the publication failed")
                continue
            if swapped:
                _settle()


def _settle() -> None:
    """Put all that lives now out of the collector's sight: a full collection would hold requests up for long."""
    gc.collect()
    gc.freeze()


def _reason(error: Exception) -> str:
    """Say what is wrong without naming a folder of this machine; the log has all of it."""
    if isinstance(error, ArtifactError):
        return f"{Path(str(error.fields['path'])).name} {error.fields['reason']}"
    return f"cannot be read: {type(error).__name__}"
