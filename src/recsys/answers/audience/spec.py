"""What an audience is asked by: a rule or a template with answers, what orders it, and where it is cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recsys.answers.audience.parse import Node, parse_rule, parse_score
from recsys.answers.audience.rule import Rule, Score, to_data
from recsys.core.errors import RequestError

Answer = str | int | float | tuple[str, ...]

MAX_TOP = 1_000_000_000


@dataclass(frozen=True)
class Spec:
    """Either a rule or a template.

    by: the score that orders a rule's members and of which the expectation is told; None = see `plan`.
    answers: to the template's questions, by name; what is left out takes the question's default.
    threshold: the lowest score; members without a score fall below any. top: so many members, highest first.
    """

    rule: Rule | None = None
    by: Score | None = None
    template: str | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    threshold: float | None = None
    top: int | None = None

    def to_data(self) -> dict[str, Any]:
        """Return its JSON form, which `parse_spec` reads as an equal one."""
        if self.rule is not None:
            asked: dict[str, Any] = {"rule": to_data(self.rule)}
            if self.by is not None:
                asked["by"] = to_data(self.by)
        else:
            answers = {name: list(one) if isinstance(one, tuple) else one for name, one in self.answers.items()}
            asked = {"template": self.template, "answers": answers}
        cut = {"threshold": self.threshold, "top": self.top}
        return asked | {name: value for name, value in cut.items() if value is not None}


def parse_spec(data: object) -> Spec:
    """Read what an audience is asked by; `RequestError` names the part that is wrong."""
    node = Node.of(data, "")
    node.only("rule", "by", "template", "answers", "threshold", "top")
    if ("rule" in node.data) == ("template" in node.data):
        raise RequestError("rule", "or a template is needed, and not both")
    threshold, top = node.number("threshold"), node.whole("top", low=1, high=MAX_TOP)
    if "rule" in node.data:
        if "answers" in node.data:
            raise RequestError("answers", "come with a template")
        by = None if node.data.get("by") is None else _order(node.data["by"])
        return Spec(parse_rule(node.data["rule"]), by, threshold=threshold, top=top)
    if "by" in node.data:
        raise RequestError("by", "comes with a rule; a template has its own")
    return Spec(template=node.text("template"), answers=_answers(node), threshold=threshold, top=top)


def _order(data: object) -> Score:
    score = parse_score(data, "by")
    for bound, value in (("min", score.low), ("max", score.high), ("top_share", score.top_share)):
        if value is not None:
            raise RequestError(f"by.{bound}", "is not taken here; use threshold or top")
    return score


def _answers(node: Node) -> dict[str, Answer]:
    answers = Node.of(node.data.get("answers", {}), "answers")
    read: dict[str, Answer] = {}
    for name, value in answers.data.items():
        if value is None:
            continue
        if isinstance(value, str):
            read[name] = answers.text(name)
        elif isinstance(value, (list, tuple)):
            read[name] = answers.texts(name, least=0)
        else:
            number = answers.number(name)
            read[name] = value if isinstance(value, int) else number or 0.0
    return read
