import os
from pathlib import Path

from recsys.core.config import Home
from recsys.core.errors import ConfigError

VARIABLE = "RECSYS_HOME"


def chosen_home() -> Home:
    """Return the home that the environment names.

    It must be absolute, as Feast changes the working folder.
    """
    return checked_home(Path(os.environ.get(VARIABLE, "")))


def checked_home(root: Path) -> Home:
    """Return the home at an absolute path; `ConfigError` says what to set when it is none."""
    if not root.is_absolute():
        raise ConfigError(VARIABLE, "must be an absolute path before feast is called: export RECSYS_HOME=$PWD/.recsys")
    return Home(root)
