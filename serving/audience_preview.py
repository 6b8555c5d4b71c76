"""How large an audience would be: of a task, of a rule, or of a template."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from recsys.answers.audience.listing import log_preview, others
from recsys.answers.audience.preview import AudienceAsk, preview, preview_audience
from recsys.answers.audience.shapes import AudiencePreview
from recsys.answers.audience.spec import parse_spec
from recsys.core.errors import RequestError
from recsys.store.keys import Role
from serving.call import Call
from serving.endpoint import Endpoint
from serving.schemas import Id, Request
from serving.state import State

_OF_A_TASK = ("category", "product_id", "within")
_OF_A_SPEC = ("rule", "by", "template", "answers")


class AudienceRequest(Request):
    """Members to pick: by one score (`task`), by a rule, or by a template with answers.

    Of those who have the score that orders, a threshold or the top ones can be taken; a task takes one of both.
    """

    task: Literal["churn", "value", "repurchase", "new_product", "recommend"] | None = None
    """The prediction, in the place of a rule or a template."""
    category: Id | None = None
    """Needed for the task repurchase."""
    product_id: Id | None = None
    """Needed for the tasks new_product and recommend."""
    within: Literal[7, 14, 28] | None = None
    """Days, for the task repurchase; null = 14."""
    rule: dict[str, Any] | None = None
    """A rule: `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}` over `{"tag": "city", "is": ["Beijing"]}`,
    `{"tag": "tenure_days", "min": 30, "max": 90}`, `{"segment": "lifecycle", "is": ["loyal"]}`,
    `{"bought": {"category": [...]}, "days": 90, "min": 1}`, `{"event": "view", "days": 90, "min": 3}`,
    `{"score": "churn", "min": 0.5}`, `{"contacted": {}, "days": 14, "max": 0}`."""
    by: dict[str, Any] | None = None
    """The score that orders a rule's members, such as `{"score": "value"}`; null = the first that the rule asks for."""
    template: Id | None = None
    """A scenario of /audiences/templates."""
    answers: dict[str, Any] | None = None
    """Answers to the template's questions; null = its defaults."""
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The lowest score."""
    top: Annotated[int, Field(ge=1)] | None = None
    """So many members, highest scores first."""
    sample: Annotated[int, Field(ge=0, le=100)] = 10
    """So many members are listed."""

    def preview(self, state: State, others: "Mapping[str, np.ndarray]") -> AudiencePreview:
        """Answer it; `RequestError` names the field that is wrong. others: live audiences by name, (members,) masks."""
        if self.task is not None:
            return preview(state.publication, self._ask(self.task))
        if self.rule is None and self.template is None:
            raise RequestError("task", "or a rule or a template is needed")
        self._refuse(_OF_A_TASK, "comes with a task")
        asked = {name: getattr(self, name) for name in (*_OF_A_SPEC, "threshold", "top")}
        spec = parse_spec({name: value for name, value in asked.items() if value is not None})
        return preview_audience(state.publication, spec, sample=self.sample, others=others)

    def _ask(self, task: str) -> AudienceAsk:
        self._refuse(_OF_A_SPEC, "does not come with a task")
        return AudienceAsk(task, self.category, self.product_id, self.within, self.threshold, self.top, self.sample)

    def _refuse(self, fields: tuple[str, ...], rule: str) -> None:
        for field in fields:
            if getattr(self, field) is not None:
                raise RequestError(field, rule)


def _preview(state: State, request: AudienceRequest, call: Call) -> AudiencePreview:
    now, asked = datetime.now(UTC), request.model_dump(exclude_defaults=True)
    with state.audiences.shelf() as shelf:
        told = request.preview(state, others(shelf, state.publication, now))
        log_preview(shelf, told, asked, who=call.caller.who, now=now)
        return told


PREVIEW = Endpoint(
    "audience_preview",
    "/audiences/preview",
    "Size and expectation of an audience",
    AudienceRequest,
    AudiencePreview,
    _preview,
    lambda _, __: {"rule": {"score": "churn", "min": 0.5}, "top": 20, "sample": 3},
    role=Role.OPS,
    in_thread=True,
)
