"""What is told of a task's model versions where MLflow is not at hand: one file a task, left by training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from recsys.core.errors import ArtifactError
from recsys.core.folders import write_text

DESCRIBED = ConfigDict(use_attribute_docstrings=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class GateTold:
    """What decides a version's promotion."""

    __pydantic_config__ = DESCRIBED
    passed: bool
    """Whether it may become the champion."""
    champion: str
    """The version that it was compared with; empty = there was none."""
    reason: str
    """What the verdict rests on."""
    reason_zh: str = ""
    """The same in Chinese; empty = it was not kept."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured number with its 95% interval."""

    __pydantic_config__ = DESCRIBED
    value: float | None
    """The number; null = it cannot be told."""
    low: float | None
    """Lower end; null = it cannot be told."""
    high: float | None
    """Upper end; null = it cannot be told."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How probabilities came true, in groups of equal size from the lowest to the highest."""

    __pydantic_config__ = DESCRIBED
    predicted: tuple[float, ...]
    """Mean probability of each group."""
    observed: tuple[float, ...]
    """Share of each group for which it came true."""
    count: tuple[int, ...]
    """Size of each group."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How many of those who do it are among the highest scores."""

    __pydantic_config__ = DESCRIBED
    taken: tuple[float, ...]
    """Share of all that is taken, the highest scores first."""
    reached: tuple[float, ...]
    """Share of those who did it that is reached by taking so many."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a version did in its back-test."""

    __pydantic_config__ = DESCRIBED
    metrics: dict[str, Interval]
    """Every metric, over all cutoffs tested."""
    tests: tuple[str, ...]
    """The cutoffs tested."""
    rows: int
    """Rows tested."""
    reliability: Reliability | None
    """Null = its scores are no probabilities."""
    gain: Gain | None
    """Null = it is judged by lists."""
    predicts: str
    """What it predicts, in words."""
    use: str
    """What it is for."""
    limits: tuple[str, ...]
    """What it cannot do."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a task's model."""

    __pydantic_config__ = DESCRIBED
    version: str
    """Its number in the registry."""
    made_at: str
    """When it was registered, in UTC."""
    aliases: tuple[str, ...]
    """`champion` scores what is published next, `challenger` waits to be promoted."""
    value: float | None
    """The deciding metric; null = unknown."""
    trained_to: str
    """The last cutoff that it learned from; empty = unknown."""
    code_version: str
    """The code that made it; empty = unknown."""
    gate: GateTold | None
    """What decides its promotion; null = its files are not at hand."""
    judged: Judged | None
    """How it did; told of the champion and the challenger."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Who made which version the champion."""

    __pydantic_config__ = DESCRIBED
    action: str
    """`promote` or `rollback`."""
    version: str
    """The champion after it."""
    forced: bool
    """Whether it was done against the gate."""
    who: str
    """By whom."""
    why: str
    """The reason given."""
    at: str
    """When, in UTC."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that is told of a task's models."""

    __pydantic_config__ = DESCRIBED
    task: str
    """The task."""
    metric: str
    """The metric that decides."""
    horizon: int
    """Days that it looks ahead; 0 = unknown."""
    versions: tuple[Version, ...] = field(default=())
    """The newest first."""
    ledger: tuple[LedgerLine, ...] = field(default=())
    """The newest first."""


_SHELF = TypeAdapter(Shelf)


def write_shelf(root: Path, shelf: Shelf) -> None:
    """Replace what is told of a task."""
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / f"{shelf.task}.json", _SHELF.dump_json(shelf).decode())


def read_shelves(root: Path) -> tuple[Shelf, ...]:
    """Read what is told of every task, by name; `ArtifactError` names a file that cannot be read."""
    return tuple(_read(path) for path in sorted(root.glob("*.json")))


def judged(report: dict[str, Any], task: str) -> Judged:
    """Take from a back-test's report what is told here. report: as `Report` writes it."""
    own = next(scorer for scorer in report["scorers"] if scorer["name"] == report["model"])
    reliability, gain, card = report["reliability"].get(task), report["gain"].get(task), report["card"]
    return TypeAdapter(Judged).validate_python(
        {
            "metrics": own["pooled"],
            "tests": [cutoff["test"] for cutoff in report["cutoffs"]],
            "rows": sum(cutoff["rows"] for cutoff in report["cutoffs"]),
            "reliability": reliability,
            "gain": gain,
            "predicts": card["predicts"],
            "use": card["use"],
            "limits": card["limits"],
        }
    )


def _read(path: Path) -> Shelf:
    try:
        return _SHELF.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(path, "is not what training leaves there") from error
