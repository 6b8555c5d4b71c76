import os
from pathlib import Path

from feast.repo_config import load_repo_config

from recsys.core.config import Home
from recsys.core.errors import ConfigError

VARIABLE = "RECSYS_HOME"
DEFINITION = "FEAST_FS_YAML_FILE_PATH"
"""Feast's own variable: the feature_store.yaml, where it is another one than the repository's."""


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


def is_on_spark() -> bool:
    """Whether Feast reads the snapshots through Spark, as its definition says."""
    folder = Path(__file__).parent
    definition = Path(os.environ.get(DEFINITION) or folder / "feature_store.yaml")
    told: object = load_repo_config(folder, definition).offline_config
    return (told.get("type") if isinstance(told, dict) else told) == "spark"
