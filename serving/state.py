"""What a worker answers from: the current publication, swapped by one reference while requests go on."""

import gc
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recsys.answers.policy import Placements, read_placements
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import POINTER, current
from serving.online import OnlineRows

POLL_SECONDS = 0.5
RETRY_POLLS = 20

_log = logging.getLogger("recsys.serving")


@dataclass(frozen=True)
class Refusal:
    """A publication that was pointed at and not taken."""

    publication: str
    reason: str


class Watcher(Protocol):
    """Is told of every publication that was taken or refused."""

    def swapped(self, as_of_number: int) -> None:
        """Hear that a publication is answered from now."""
        ...

    def refused(self) -> None:
        """Hear that a publication was refused."""
        ...


class State:
    """Holds the publication of this worker and follows the pointer in a thread of its own.

    Whatever goes wrong in reading the pointer or opening what it names is a refusal: the service goes on with what it
    has, and is not ready when that is nothing. A refused publication is tried again when the pointer moves, and now and
    then: it may have been copied in slowly.
    """

    def __init__(self, home: Home, watcher: Watcher) -> None:
        self.placements = _placements(home)
        self.online = OnlineRows(home.online)
        self.refusal: Refusal | None = None
        self._root = home.publications
        self._watcher = watcher
        self._publication: Publication | None = None
        self._skips = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="publication", daemon=True)

    @property
    def publication(self) -> Publication:
        """The publication to answer a request from; take it once a request. `MissingError` when none was ever taken."""
        publication = self._publication
        if publication is None:
            raise MissingError("publication", "recsys publish")
        return publication

    @property
    def ready(self) -> bool:
        """Whether there is a publication to answer from."""
        return self._publication is not None

    def start(self) -> None:
        """Take the current publication and begin to watch."""
        self.follow()
        gc.collect()
        gc.freeze()
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

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
        except Exception as error:
            return self._refuse(folder.name, error)
        self._publication, self.refusal = publication, None
        self._watcher.swapped(publication.as_of.number)
        _log.info("answering from publication %s", publication.name)
        return True

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
                swapped = self.follow()
            except Exception:
                _log.exception("following the publication pointer failed")
                continue
            if swapped:
                gc.collect()
                gc.freeze()


def _reason(error: Exception) -> str:
    """Say what is wrong without naming a folder of this machine; the log has all of it."""
    if isinstance(error, ArtifactError):
        return f"{Path(str(error.fields['path'])).name} {error.fields['reason']}"
    return f"cannot be read: {type(error).__name__}"


def _placements(home: Home) -> Placements:
    own = home.root / "placements.toml"
    return read_placements(own if own.is_file() else Path(__file__).with_name("placements.toml"))
