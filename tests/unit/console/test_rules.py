"""A rule that is edited: nothing of it is lost, and errors find the part that they speak of."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console.rules import Group, Leaf, group_of, part_at, places, rule_of
from recsys.answers.audience.parse import parse_rule
from recsys.answers.audience.rule import to_data

leaves = st.sampled_from(
    [
        {"tag": "city", "is": ["Beijing"]},
        {"tag": "tenure_days", "min": 30.0},
        {"segment": "lifecycle", "is": ["loyal"]},
        {"bought": {"category": ["a"]}, "days": 90, "min": 1},
        {"event": "view", "days": 7, "min": 2},
        {"score": "churn", "min": 0.5},
        {"contacted": {}, "days": 14, "min": 0, "max": 0},
    ]
)
rules = st.recursive(
    leaves,
    lambda inside: st.one_of(
        st.lists(inside, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inside, max_size=3).map(lambda parts: {"any": parts}),
        inside.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


def plain(rule: dict[str, Any]) -> dict[str, Any]:
    """Write a rule without the groups of one that editing adds: they change nothing."""
    if "not" in rule:
        inner = plain(rule["not"])
        return {"not": inner}
    for kind in ("all", "any"):
        if kind in rule:
            parts = [plain(part) for part in rule[kind]]
            return parts[0] if len(parts) == 1 else {kind: parts}
    return rule


@given(rules)
def test_editing_a_rule_and_not_touching_it_leaves_it_as_it_was(rule: dict[str, Any]) -> None:
    edited = rule_of(group_of(rule))
    assert plain(edited) == plain(rule)
    assert to_data(parse_rule(rule_of(group_of(edited)))) == to_data(parse_rule(edited))


@given(rules)
def test_each_part_is_called_as_the_service_calls_it(rule: dict[str, Any]) -> None:
    group = group_of(rule)
    data = {"rule": rule_of(group)}
    for at, part in places(group):
        found: Any = data
        for step in at.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
        if isinstance(part, Leaf):
            assert found is part.data


def test_an_error_finds_the_innermost_part() -> None:
    leaf = Leaf({"score": "churn", "min": 0.5})
    inner = Group("none", [Leaf({"tag": "city"}), leaf])
    group = Group("all", [Leaf({"tag": "city"}), inner])
    assert part_at(group, "rule.all.1.not.any.1.min") is leaf
    assert part_at(group, "rule.all.1") is inner
    assert part_at(group, "rule.all.10") is group
    assert part_at(group, "name") is None
