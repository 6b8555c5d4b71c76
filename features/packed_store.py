from pathlib import Path
from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel
from pydantic import field_validator

from features.packed_door import PackedDoor
from features.settings import checked_home


class PackedOnlineStoreConfig(FeastConfigBaseModel):
    """The part `online_store` of feature_store.yaml.

    path: absolute folder of the packed store.
    """

    type: Literal["features.packed_store.PackedOnlineStore"] = "features.packed_store.PackedOnlineStore"
    path: str

    @field_validator("path")
    @classmethod
    def _is_absolute(cls, path: str) -> str:
        checked_home(Path(path))
        return path


class PackedOnlineStore(PackedDoor):
    """Packed rows in a folder of this machine, read with `recsys.store.packed.PackedReader`."""

    def place(self, config: RepoConfig) -> Path:
        """Return the folder."""
        return Path(config.online_store.path)
