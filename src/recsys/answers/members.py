"""The member card: everything predicted about one member, as of the publication."""

from collections.abc import Callable
from datetime import datetime

import numpy as np

from recsys.answers.churn_reasons import churn_why
from recsys.answers.errors import UnknownError
from recsys.answers.member import asker
from recsys.answers.risk import band
from recsys.answers.shapes import (
    Churn,
    FeatureRow,
    MemberCard,
    NewProduct,
    NextPurchase,
    Notable,
    Scalar,
    Standing,
    Value,
)
from recsys.answers.tags import member_tags
from recsys.artifacts.publication import Publication
from recsys.core.config import Settings

ReadOnline = Callable[[str, datetime], tuple[FeatureRow | None, str | None]]
"""Member id and the instant before which a row is too old -> the member's live row, or None and why there is none."""


class CardSettings(Settings):
    """How a card is cut.

    notable, categories, launches: so many of each are shown at most.
    """

    notable: int = 8
    categories: int = 20
    launches: int = 5


def member_card(
    publication: Publication, member_id: str, read_online: ReadOnline, settings: CardSettings
) -> MemberCard:
    """Put a member's card together; `UnknownError` when the member is not known.

    read_online: asked only for a member who may be looked at; a row older than the publication's as_of is not taken.
    A member who opted out gets a card that says so and nothing else.
    """
    who = asker(publication, member_id, personalised=True)
    if who.standing is Standing.UNKNOWN:
        raise UnknownError("member_id", f"{member_id!r} is no known member")
    row = who.row
    return MemberCard(
        member_id=member_id,
        standing=who.standing,
        tags=member_tags(publication, row) if row is not None else (),
        churn=_churn(publication, row) if row is not None else None,
        value=_value(publication, row) if row is not None else None,
        next_purchases=_next_purchases(publication, row, settings.categories) if row is not None else (),
        new_products=_new_products(publication, row, settings.launches) if row is not None else (),
        notable=_notable(publication, row, settings.notable) if row is not None else (),
        features=_features(publication, member_id, row, read_online) if row is not None else None,
        as_of=str(publication.as_of),
        publication=publication.name,
    )


def _churn(publication: Publication, row: int) -> Churn | None:
    score = float(publication.churn[row])
    if not np.isfinite(score):
        return None
    below = float(publication.churn_quantiles.searchsorted(score) / len(publication.churn_quantiles))
    values: dict[str, Scalar] = dict(publication.member_features(row))
    return Churn(
        score=score,
        rank=below,
        base=publication.churn_base,
        band=band(score, publication.churn_base),
        why=tuple(churn_why(code, share, values) for code, share in publication.churn_reasons(row)),
        days=publication.horizons["churn"],
        model_version=publication.model_versions.get("churn"),
    )


def _value(publication: Publication, row: int) -> Value | None:
    found = {name: float(column[row]) for name, column in publication.value.items()}
    if not np.isfinite(found["score"]):
        return None
    versions, days = publication.model_versions, publication.horizons["value"]
    return Value(found["purchases"], found["score"], found["margin"], days, versions.get("value"))


def _next_purchases(publication: Publication, row: int, limit: int) -> tuple[NextPurchase, ...]:
    pairs = publication.repurchase
    span = pairs.span(row)
    values = {name: column[span][:limit].tolist() for name, column in pairs.columns.items()}
    follows = publication.repurchase_next[span][:limit].tolist()
    today = publication.as_of.number

    def told(at: int, category: int) -> NextPurchase:
        ends = values["need_ends_day"][at] - today
        has_ended = ends <= 0
        median, low, high = (
            None if has_ended else _day(publication, values[name][at])
            for name in ("median_days", "low_days", "high_days")
        )
        return NextPurchase(
            category=publication.categories[category],
            p7=values["p7"][at],
            p14=values["p14"][at],
            p28=values["p28"][at],
            median_day=median,
            low_day=low,
            high_day=high,
            need_ends=_day(publication, ends),
            next_category=publication.categories[follows[at]] if follows[at] >= 0 else None,
        )

    return tuple(told(at, category) for at, category in enumerate(pairs.other[span][:limit].tolist()))


def _new_products(publication: Publication, row: int, limit: int) -> tuple[NewProduct, ...]:
    pairs = publication.new_product
    span = pairs.span(row)
    rows, scores = pairs.other[span][:limit].tolist(), pairs.columns["score"][span][:limit].tolist()
    products = [publication.product(product) for product in rows]
    return tuple(
        NewProduct(product.product_id, product.name, product.category, score)
        for product, score in zip(products, scores, strict=True)
    )


def _notable(publication: Publication, row: int, limit: int) -> tuple[Notable, ...]:
    """Features whose value lies furthest from the middle of all members' values."""
    ranked = [
        Notable(name, value, _rank(quantiles, value))
        for name, value, quantiles in zip(
            publication.features, publication.member_numbers[row].tolist(), publication.member_quantiles, strict=True
        )
        if np.isfinite(value) and quantiles[0] < quantiles[-1]
    ]
    return tuple(sorted(ranked, key=lambda feature: (-abs(feature.rank - 0.5), feature.name))[:limit])


def _features(publication: Publication, member_id: str, row: int, read_online: ReadOnline) -> FeatureRow:
    online, note = read_online(member_id, publication.as_of.instant)
    if online is not None:
        return online
    values: dict[str, Scalar] = dict(publication.member_features(row))
    return FeatureRow("published", publication.as_of.instant.isoformat(), note, values)


def _rank(quantiles: "np.ndarray", value: float) -> float:
    """Share of values below, counting half of the equal ones, from evenly spaced quantiles."""
    low, high = (quantiles.searchsorted(value, side=side) for side in ("left", "right"))
    return float((low + high) / 2 / len(quantiles))


def _day(publication: Publication, days: float) -> str | None:
    return str(publication.as_of.plus(days=round(days))) if np.isfinite(days) else None
