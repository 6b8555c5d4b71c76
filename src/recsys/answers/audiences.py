"""How large an audience would be: members picked by one score."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.answers.audience_shapes import AudienceMember, AudiencePreview, Bin
from recsys.answers.errors import UnknownError
from recsys.answers.tags import member_tags
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_columns import Ragged
from recsys.core.errors import RequestError

BINS = 20


@dataclass(frozen=True)
class AudienceAsk:
    """Which members: those at or above a threshold, or the top ones; with neither, everybody who is scored.

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


@dataclass(frozen=True)
class _Scored:
    """members: (n,) rows, unique; scores: (n,) finite. adds: whether a sum of scores means something."""

    name: str
    members: "np.ndarray"
    scores: "np.ndarray"
    is_probability: bool
    adds: bool = True


def preview(publication: Publication, ask: AudienceAsk) -> AudiencePreview:
    """Count and describe an audience; `RequestError` names what the task needs and the request lacks."""
    if ask.task not in _SCORED:
        raise RequestError("task", f"is none of {', '.join(sorted(_SCORED))}")
    if ask.threshold is not None and ask.top is not None:
        raise RequestError("top", "comes with a threshold; give one of them")
    for field in ("category", "product_id", "within"):
        if getattr(ask, field) is not None and field not in _TAKES[ask.task]:
            raise RequestError(field, f"is not taken for {ask.task}")
    scored = _SCORED[ask.task](publication, ask)
    order = np.lexsort((scored.members, -scored.scores))
    if ask.threshold is not None:
        order = order[: int((scored.scores >= ask.threshold).sum())]
    elif ask.top is not None:
        order = order[: ask.top]
    members, scores = scored.members[order], scored.scores[order]
    return AudiencePreview(
        task=ask.task,
        score_name=scored.name,
        count=len(members),
        scored=len(scored.members),
        share=len(members) / len(scored.members) if len(scored.members) else 0.0,
        lowest=float(scores[-1]) if len(scores) else None,
        expected=float(scores.sum(dtype=np.float64)) if scored.adds else None,
        histogram=_histogram(scored),
        sample=tuple(
            AudienceMember(publication.members.text(row), score, member_tags(publication, row))
            for row, score in zip(members[: ask.sample].tolist(), scores[: ask.sample].tolist(), strict=True)
        ),
        as_of=str(publication.as_of),
        publication=publication.name,
        model_version=publication.model_versions.get(ask.task),
    )


def _churn(publication: Publication, _: AudienceAsk) -> _Scored:
    members = np.flatnonzero(np.isfinite(publication.churn))
    return _Scored("score", members, publication.churn[members], is_probability=True)


def _value(publication: Publication, _: AudienceAsk) -> _Scored:
    money = publication.value["score"]
    members = np.flatnonzero(np.isfinite(money))
    return _Scored("score", members, money[members], is_probability=False)


def _repurchase(publication: Publication, ask: AudienceAsk) -> _Scored:
    if ask.category is None:
        raise RequestError("category", "is needed for repurchase")
    category = publication.category_row(ask.category)
    if category is None:
        raise UnknownError("category", f"{ask.category!r} is no known category")
    name = f"p{14 if ask.within is None else ask.within}"
    if name not in publication.repurchase.columns:
        raise RequestError("within", "is none of 7, 14, 28")
    return _pairs(publication.repurchase, category, name, is_probability=True, where=_lasting(publication))


def _new_product(publication: Publication, ask: AudienceAsk) -> _Scored:
    return _pairs(publication.new_product, _product(publication, ask), "score", is_probability=True)


def _recommend(publication: Publication, ask: AudienceAsk) -> _Scored:
    return _pairs(publication.recommend, _product(publication, ask), "score", is_probability=False)


_SCORED: dict[str, Callable[[Publication, AudienceAsk], _Scored]] = {
    "churn": _churn,
    "value": _value,
    "repurchase": _repurchase,
    "new_product": _new_product,
    "recommend": _recommend,
}

_TAKES: dict[str, tuple[str, ...]] = {
    "churn": (),
    "value": (),
    "repurchase": ("category", "within"),
    "new_product": ("product_id",),
    "recommend": ("product_id",),
}


def _product(publication: Publication, ask: AudienceAsk) -> int:
    if ask.product_id is None:
        raise RequestError("product_id", f"is needed for {ask.task}")
    row = publication.products.row(ask.product_id)
    if row is None:
        raise UnknownError("product_id", f"{ask.product_id!r} is no known product")
    return row


def _lasting(publication: Publication) -> "np.ndarray":
    """(pairs of repurchase,) whether the need has not ended; an unknown end is none."""
    return ~(publication.repurchase.columns["need_ends_day"] <= publication.as_of.number)


def _pairs(
    pairs: Ragged, other: int, column: str, *, is_probability: bool, where: "np.ndarray | None" = None
) -> _Scored:
    of_other = pairs.other == other
    at = np.flatnonzero(of_other if where is None else of_other & where)
    scores = pairs.columns[column][at].astype(np.float64)
    return _Scored(column, pairs.groups(at), scores, is_probability, adds=is_probability)


def _histogram(scored: _Scored) -> tuple[Bin, ...]:
    """Twenty bins over [0, 1] for probabilities, over the scores' own range otherwise."""
    if not len(scored.scores):
        return ()
    low, high = (0.0, 1.0) if scored.is_probability else (float(scored.scores.min()), float(scored.scores.max()))
    counts, exact = np.histogram(scored.scores, bins=BINS, range=(low, high))
    edges = exact.round(6)
    return tuple(
        Bin(left, right, count)
        for left, right, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    )
