"""What a search may change of each model's settings, and how far."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from recsys.core.config import Settings
from recsys.models.boosted import BoosterConfig

DIGITS = 3
"""Significant digits of a number that a search tries, so that what is printed is what was measured."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; on a log scale where ratios matter; whole where only those mean
    something.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def holding(self, value: float) -> "Range":
        """Widen it to hold a value, so that the settings in force can always be tried."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def rounded(self, value: float) -> float | int:
        """Round a number of the range as it is tried and told."""
        if self.whole or not value:
            return round(value) if self.whole else 0.0
        return round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))


Space = Mapping[str, Range]
"""Dotted name of a setting, such as `booster.leaves` -> its range."""

BOOSTER: Space = {
    "rounds": Range(50, 600, log=True, whole=True),
    "leaves": Range(4, 127, log=True, whole=True),
    "learning_rate": Range(0.01, 0.2, log=True),
    "min_leaf": Range(10, 500, log=True, whole=True),
    "l2": Range(0.1, 100, log=True),
    "feature_share": Range(0.1, 1),
    "row_share": Range(0.4, 1),
}
"""Every model that grows trees is searched over these, wherever a `BoosterConfig` stands among its settings."""

OWN: Space = {
    "linear_share": Range(0, 1),
    "prior_days": Range(1, 90, log=True),
    "penalty": Range(0.1, 1000, log=True),
}
"""Settings of that name in any model's own config."""


def space_of(config: Settings) -> dict[str, Range]:
    """List what may be searched of these settings, each range wide enough to hold the value that it has now."""
    found = {}
    for name, value in flat(config).items():
        parent, _, last = name.rpartition(".")
        known = BOOSTER if isinstance(_at(config, parent), BoosterConfig) else OWN
        if last in known and isinstance(value, int | float):
            found[name] = known[last].holding(value)
    return found


def values_of(config: Settings, names: Mapping[str, Range]) -> dict[str, Any]:
    """Return what the settings of these dotted names are now."""
    every = flat(config)
    return {name: every[name] for name in names}


def changed(config: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with other values at dotted names; `ConfigError` names one that is refused."""
    data = config.model_dump()
    for name, value in values.items():
        *parents, last = name.split(".")
        place = data
        for parent in parents:
            place = place[parent]
        place[last] = value
    return config.checked(data)


def flat(config: Settings) -> dict[str, Any]:
    """Return every setting by its dotted name."""
    return dict(_flat(config, ""))


def _flat(config: Settings, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Settings):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _at(config: Settings, name: str) -> Settings:
    found = config
    for part in name.split(".") if name else ():
        found = getattr(found, part)
    return found
