"""A rule as it is edited: groups and leaves that can be changed in place, and back to the service's JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from console.api import Record

Kind = Literal["all", "any", "none"]
KINDS: tuple[Kind, ...] = ("all", "any", "none")


@dataclass(eq=False)
class Leaf:
    """One condition. data: as the service takes it."""

    data: Record

    @property
    def kind(self) -> str:
        """What it asks about: tag, segment, bought, event, score or contacted."""
        return next(name for name in LEAVES if name in self.data)


@dataclass(eq=False)
class Group:
    """Conditions of which all, any or none must hold."""

    kind: Kind = "all"
    parts: "list[Group | Leaf]" = field(default_factory=list)


LEAVES = ("tag", "segment", "bought", "event", "score", "contacted")


def group_of(rule: Record) -> Group:
    """Read a rule; a single condition becomes a group of one."""
    part = _part(rule)
    return part if isinstance(part, Group) else Group("all", [part])


def rule_of(part: Group | Leaf) -> Record:
    """Return a part in the service's form."""
    if isinstance(part, Leaf):
        return part.data
    parts = [rule_of(one) for one in part.parts]
    return {"not": {"any": parts}} if part.kind == "none" else {part.kind: parts}


def places(part: Group | Leaf, at: str = "rule") -> "Iterator[tuple[str, Group | Leaf]]":
    """Give every part with how the service calls it in errors, outer ones first."""
    yield at, part
    if isinstance(part, Group):
        inside = f"{at}.not.any" if part.kind == "none" else f"{at}.{part.kind}"
        for place, one in enumerate(part.parts):
            yield from places(one, f"{inside}.{place}")


def part_at(group: Group, field_name: str) -> "Group | Leaf | None":
    """Return the innermost part that an error of the service speaks of; None = it speaks of something else."""
    found: Group | Leaf | None = None
    for at, part in places(group):
        if field_name == at or field_name.startswith(f"{at}."):
            found = part
    return found


def _part(rule: Record) -> "Group | Leaf":
    for kind in ("all", "any"):
        if kind in rule:
            return Group("all" if kind == "all" else "any", [_part(one) for one in rule[kind]])
    if "not" in rule:
        inner = _part(rule["not"])
        if isinstance(inner, Group) and inner.kind == "any":
            return Group("none", inner.parts)
        return Group("none", [inner])
    return Leaf(dict(rule))
