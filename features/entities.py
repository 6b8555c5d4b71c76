from feast import Entity, ValueType

from recsys.core.task import VIEW_KEYS

ENTITIES: dict[str, Entity] = {
    key: Entity(name=key, join_keys=[key], value_type=ValueType.STRING)
    for key in dict.fromkeys(key for keys in VIEW_KEYS.values() for key in keys)
}
"""What rows are about, one a key column of the feature tables."""
