"""The placements in force: read from the home's file when it changes, or from the one that comes with the service."""

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recsys.answers.policy import PLACEMENTS, Placements, read_placements
from recsys.core.config import Home
from recsys.core.errors import ConfigError

_log = logging.getLogger("recsys.serving")
_Look = tuple[int, int, int]


@dataclass(frozen=True)
class WrongPlacements:
    """Why a file was not taken: its first wrong setting, by name."""

    setting: str
    rule: str


class PlacementsFile:
    """Follows `placements.toml` in the home. A file that is wrong anywhere is refused whole and the old one goes on.

    What was taken last is kept beside the process ids: a worker that starts while the file is wrong begins with that,
    so all workers answer alike; without it, with the placements that come with the service.
    """

    def __init__(self, home: Home, try_out: Callable[[Placements], None]) -> None:
        """Take the home, and what is done with placements before they are taken: what it raises refuses them."""
        self._try_out = try_out
        self._own = home.root / PLACEMENTS
        self._kept = home.run / f"taken-{PLACEMENTS}"
        self._looked: _Look | None = None
        self.wrong: WrongPlacements | None = None
        self.current = read_placements(Path(__file__).with_name(PLACEMENTS))
        if self._own.is_file():
            self._begin()

    def follow(self) -> bool:
        """Take the file if it changed and is right; return whether it was looked into, and so taken or refused."""
        look = _look(self._own)
        if look == self._looked:
            return False
        self._looked = look
        if look is None:
            self.current, self.wrong = read_placements(Path(__file__).with_name(PLACEMENTS)), None
            self._try_out(self.current)
            _log.info("answering by the placements of the service, as the home's file is gone")
            return True
        try:
            placements = read_placements(self._own)
            self._try_out(placements)
        except ConfigError as error:
            self._refuse(error)
            return True
        except Exception as error:
            self._refuse(ConfigError(PLACEMENTS, f"cannot be answered by: {type(error).__name__}"))
            return True
        self.current, self.wrong = placements, None
        self._keep()
        _log.info("answering by %d placements of the home's file", len(placements.placements))
        return True

    def _begin(self) -> None:
        self.follow()
        if self.wrong is not None and self._kept.is_file():
            with contextlib.suppress(ConfigError):
                self.current = read_placements(self._kept)

    def _refuse(self, error: ConfigError) -> None:
        setting, rule = str(error.fields["setting"]), str(error.fields["rule"])
        inside = not Path(setting).is_absolute()
        self.wrong = WrongPlacements(setting if inside else PLACEMENTS, rule)
        _log.error("refused %s: %s %s", PLACEMENTS, self.wrong.setting, self.wrong.rule)

    def _keep(self) -> None:
        """Keep a copy; a home that cannot be written to does without."""
        with contextlib.suppress(OSError):
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            part = self._kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(self._own.read_bytes())
            part.replace(self._kept)


def _look(path: Path) -> _Look | None:
    """Return what tells one writing of a file from the next; None = there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
