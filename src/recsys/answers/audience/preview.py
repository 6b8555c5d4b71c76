"""How large an audience would be, what to expect of it and who is in it, before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from recsys.answers.audience.describe import describe
from recsys.answers.audience.offers import offers
from recsys.answers.audience.pick import Fitting, Picked, Plan, cut, highest, plan
from recsys.answers.audience.rule import EVERYBODY, Score, to_data
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.scores import Scored
from recsys.answers.audience.shapes import AudienceMember, AudiencePreview, Bin, Offer, Overlap
from recsys.answers.audience.spec import Spec
from recsys.answers.audience.templates import Laid
from recsys.answers.errors import UnknownError
from recsys.answers.tags import member_tags
from recsys.artifacts.publication import Publication
from recsys.core.errors import RequestError

BINS = 20
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class AudienceAsk:
    """Members by one score: those at or above a threshold, or the top ones; with neither, everybody who is scored.

    task: churn; value, by expected money; repurchase with a category; new_product or recommend with a product_id.
    within: days, for repurchase: 7, 14 or 28; None = 14.
    What a task does not take must be None.
    """

    task: str
    category: str | None = None
    product_id: str | None = None
    within: int | None = None
    threshold: float | None = None
    top: int | None = None
    sample: int = 10


def preview(publication: Publication, ask: AudienceAsk) -> AudiencePreview:
    """Count and describe members by one score; `RequestError` names what the task needs and the request lacks."""
    by = _score(publication, ask)
    if ask.threshold is not None and ask.top is not None:
        raise RequestError("top", "comes with a threshold; give one of them")
    scored_only = -inf if ask.threshold is None else ask.threshold
    whole = Plan(Scenario.RULE, Laid(EVERYBODY, by), scored_only, ask.top)
    return _Told(publication, whole, Fitting.of(publication, whole)).preview({}, ask.sample, of_task=True)


def preview_audience(
    publication: Publication, spec: Spec, *, sample: int = 10, others: "Mapping[str, np.ndarray] | None" = None
) -> AudiencePreview:
    """Count and describe what a rule or a template picks.

    others: other live audiences by name, each a (members,) mask; see `mask_of`.
    Errors name the part of the request that is wrong.
    """
    whole = plan(publication, spec)
    return _Told(publication, whole, Fitting.of(publication, whole)).preview(others or {}, sample, of_task=False)


def mask_of(publication: Publication, keys: "np.ndarray") -> "np.ndarray":
    """(members,) whose key is among these.

    keys: (n,) unsigned 64-bit hashes as `publication.members.keys` has them, ascending.
    """
    own = np.asarray(publication.members.keys)
    place = own.searchsorted(keys)
    found = place[place < len(own)]
    mask = np.zeros(len(own), dtype=np.bool_)
    mask[found[own[found] == keys[place < len(own)]]] = True
    return mask


@dataclass(frozen=True)
class _Told:
    publication: Publication
    plan: Plan
    fitting: Fitting

    def preview(self, others: "Mapping[str, np.ndarray]", sample: int, *, of_task: bool) -> AudiencePreview:
        publication, scored = self.publication, self.fitting.score
        values = scored.values
        fits = self.fitting.mask & np.isfinite(values)
        taken = cut(self.fitting, self.plan)
        count = int(np.count_nonzero(taken))
        known = values[taken & fits].astype(np.float64)
        fitting = values[fits]
        base = len(fitting) if of_task else len(publication.members)
        low, high = _interval(known) if scored.is_probability else (None, None)
        words = describe(self.plan.rule, publication)
        return AudiencePreview(
            task=self.plan.by.task,
            score_name=scored.name,
            count=count,
            scored=len(fitting),
            members=len(publication.members),
            share=count / base if base else 0.0,
            lowest=float(known.min()) if len(known) else None,
            expected=float(known.sum()) if scored.adds else None,
            expected_low=low,
            expected_high=high,
            within_days=scored.days,
            histogram=_histogram(scored, fitting),
            overlaps=_overlaps(taken, count, others),
            sample=self.sample(taken, sample, of_task=of_task),
            rule=None if of_task else to_data(self.plan.rule),
            rule_zh=None if of_task else words.zh,
            rule_en=None if of_task else words.en,
            as_of=str(publication.as_of),
            publication=publication.name,
            model_version=publication.model_versions.get(scored.task),
        )

    def sample(self, taken: "np.ndarray", n: int, *, of_task: bool) -> tuple[AudienceMember, ...]:
        """Tell the first members, and what they are offered where it is not a task that picks them."""
        publication, values = self.publication, self.fitting.score.values
        rows = highest(np.flatnonzero(taken), values, n) if n else np.empty(0, dtype=np.int64)
        scores = values[rows].astype(np.float64)
        own = (None,) * len(rows) if of_task else _offers(offers(publication, self.plan, Picked(rows, scores)))
        return tuple(
            AudienceMember(
                publication.members.text(row), score if isfinite(score) else None, member_tags(publication, row), offer
            )
            for row, score, offer in zip(rows.tolist(), scores.tolist(), own, strict=True)
        )


def _offers(columns: Mapping[str, Any]) -> tuple[Offer, ...]:
    told = {name: column.to_pylist() for name, column in columns.items()}
    rows = [dict(zip(told, row, strict=True)) for row in zip(*told.values(), strict=True)]
    return tuple(
        Offer(
            **{
                **row,
                "products": tuple(row["products"]),
                "due_day": None if row["due_day"] is None else row["due_day"].isoformat(),
            }
        )
        for row in rows
    )


def _interval(chances: "np.ndarray") -> tuple[float, float]:
    """Return the 95% interval of how many of independent members do what each does with such a chance.

    Normal, with the continuity correction; inside [0, n].
    """
    spread = NORMAL_95 * sqrt(float((chances * (1 - chances)).sum())) + (0.5 if len(chances) else 0)
    mean = float(chances.sum())
    return max(0.0, mean - spread), min(float(len(chances)), mean + spread)


def _overlaps(taken: "np.ndarray", count: int, others: "Mapping[str, np.ndarray]") -> tuple[Overlap, ...]:
    both = {name: int(np.count_nonzero(taken & mask)) for name, mask in others.items()}
    told = [Overlap(name, shared, shared / count) for name, shared in both.items() if shared]
    return tuple(sorted(told, key=lambda one: (-one.count, one.audience)))


def _histogram(scored: Scored, values: "np.ndarray") -> tuple[Bin, ...]:
    """Twenty bins over [0, 1] for probabilities, over the scores' own range otherwise."""
    if not len(values):
        return ()
    low, high = (0.0, 1.0) if scored.is_probability else (float(values.min()), float(values.max()))
    counts, exact = np.histogram(values, bins=BINS, range=(low, high))
    edges = exact.round(6)
    return tuple(
        Bin(left, right, count)
        for left, right, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    )


_TAKES: Mapping[str, tuple[str, ...]] = {
    "churn": (),
    "value": (),
    "repurchase": ("category", "within"),
    "new_product": ("product_id",),
    "recommend": ("product_id",),
}
_NEEDS: Mapping[str, str] = {"repurchase": "category", "new_product": "product_id", "recommend": "product_id"}


def _score(publication: Publication, ask: AudienceAsk) -> Score:
    """Check what a task is asked with, by the request's own names."""
    if ask.task not in _TAKES:
        raise RequestError("task", f"is none of {', '.join(sorted(_TAKES))}")
    for field in ("category", "product_id", "within"):
        if getattr(ask, field) is not None and field not in _TAKES[ask.task]:
            raise RequestError(field, f"is not taken for {ask.task}")
    needed = _NEEDS.get(ask.task)
    if needed is not None and getattr(ask, needed) is None:
        raise RequestError(needed, f"is needed for {ask.task}")
    if ask.category is not None and publication.category_row(ask.category) is None:
        raise UnknownError("category", f"{ask.category!r} is no known category")
    if ask.product_id is not None and publication.products.row(ask.product_id) is None:
        raise UnknownError("product_id", f"{ask.product_id!r} is no known product")
    if ask.within not in (None, 7, 14, 28):
        raise RequestError("within", "is none of 7, 14, 28")
    within = (ask.within or 14) if ask.task == "repurchase" else None
    return Score(ask.task, () if ask.category is None else (ask.category,), ask.product_id, within)
