from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel
from pydantic import field_validator

from features.packed_door import PackedDoor


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):
    """The part `online_store` of feature_store.yaml.

    url: of the Redis, such as redis://127.0.0.1:6379/0.
    """

    type: Literal["features.packed_redis.PackedRedisOnlineStore"] = "features.packed_redis.PackedRedisOnlineStore"
    url: str

    @field_validator("url")
    @classmethod
    def _is_put_in(cls, url: str) -> str:
        if "${" in url:
            raise ValueError(f"{url} names a variable that is not set")
        return url


class PackedRedisOnlineStore(PackedDoor):
    """Packed rows in a Redis, read with `recsys.store.packed_redis.PackedRedisReader`."""

    def place(self, config: RepoConfig) -> str:
        """Return the URL."""
        return str(config.online_store.url)
