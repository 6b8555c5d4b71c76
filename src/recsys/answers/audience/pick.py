"""From what was asked to members in order: the plan of an audience and the members whom it picks."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.answers.audience.evaluate import members
from recsys.answers.audience.rule import AllOf, AnyOf, Rule, Score
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.scores import Scored, Scores
from recsys.answers.audience.spec import Spec
from recsys.answers.audience.templates import TEMPLATES, Laid
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError


@dataclass(frozen=True)
class Plan:
    """An audience ready to be picked.

    laid: the rule, the score that orders it and what it is about. threshold, top: as in `Spec`.
    """

    scenario: Scenario
    laid: Laid
    threshold: float | None = None
    top: int | None = None

    @property
    def rule(self) -> Rule:
        """Whom it takes."""
        return self.laid.rule

    @property
    def by(self) -> Score:
        """What orders it."""
        return self.laid.by


@dataclass(frozen=True, eq=False)
class Fitting:
    """Whom a plan's rule takes, before it is cut. mask: (members,)."""

    mask: "np.ndarray"
    score: Scored

    @classmethod
    def of(cls, publication: Publication, plan: Plan) -> Self:
        """Evaluate a plan's rule; errors as of `members`."""
        scores = Scores(publication)
        return cls(members(publication, plan.rule, scores=scores), scores.of(plan.by, "by"))


@dataclass(frozen=True, eq=False)
class Picked:
    """Members of an audience, highest score first; those without a score come last, in the order of rows.

    rows: (n,) member rows, unique. score: (n,) NaN = has none.
    """

    rows: "np.ndarray"
    score: "np.ndarray"


def plan(publication: Publication, spec: Spec) -> Plan:
    """Lay out what was asked; `RequestError` names a template or an answer that is wrong.

    A rule without `by` is ordered by the first score that it asks for, and where there is none by the probability of
    any purchase within the horizon of churn.
    """
    if spec.rule is not None:
        laid = Laid(spec.rule, spec.by or _first_score(spec.rule) or Score("active"))
        return Plan(Scenario.RULE, laid, spec.threshold, spec.top)
    template = TEMPLATES.get(Scenario(spec.template)) if spec.template in set(Scenario) else None
    if template is None:
        raise RequestError("template", f"is none of {', '.join(TEMPLATES)}")
    return Plan(template.scenario, template.laid(publication, spec.answers), spec.threshold, spec.top)


def pick(publication: Publication, plan: Plan) -> Picked:
    """Return a plan's members in order; errors as of `members`."""
    fitting = Fitting.of(publication, plan)
    rows = np.flatnonzero(cut(fitting, plan))
    score = fitting.score.values[rows].astype(np.float64)
    order = np.argsort(-score, kind="stable")
    return Picked(rows[order], score[order])


def cut(fitting: Fitting, plan: Plan) -> "np.ndarray":
    """(members,) whom a plan picks among those who fit; of equal scores at the edge of the top, the first rows."""
    mask, values = fitting.mask, fitting.score.values
    if plan.threshold is not None:
        mask = mask & (values >= plan.threshold)
    if plan.top is None:
        return mask
    taken = np.zeros(len(mask), dtype=np.bool_)
    taken[highest(np.flatnonzero(mask), values, plan.top)] = True
    return taken


def highest(rows: "np.ndarray", values: "np.ndarray", n: int) -> "np.ndarray":
    """(n,) the rows with the highest values, in order; NaN comes last, equal values in the order of rows.

    rows: ascending. values: (members,).
    """
    own = np.where(np.isnan(values[rows]), -np.inf, values[rows])
    if n < len(rows):
        edge = np.partition(own, len(own) - n)[len(own) - n]
        above = np.flatnonzero(own > edge)
        equal = np.flatnonzero(own == edge)[: n - len(above)]
        kept = np.sort(np.concatenate([above, equal]))
        rows, own = rows[kept], own[kept]
    return np.asarray(rows[np.argsort(-own, kind="stable")])


def _first_score(rule: Rule) -> Score | None:
    """Return the first score that a rule asks for, without its bounds; what it rules out does not count."""
    if isinstance(rule, Score):
        return rule.bare()
    inner = rule.rules if isinstance(rule, AllOf | AnyOf) else ()
    return next((found for one in inner if (found := _first_score(one)) is not None), None)
