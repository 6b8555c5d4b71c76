"""What each member of an audience is told, when, where and with which benefit: columns over its members."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.answers.audience.benefits import Benefit, benefits
from recsys.answers.audience.needs import Needs, next_needs, shown
from recsys.answers.audience.pick import Picked, Plan
from recsys.answers.audience.scenario import Scenario
from recsys.answers.audience.scores import categories_mask
from recsys.answers.audience.why import whys
from recsys.artifacts.publication import Publication

OTHER = "other"
"""The part of preferred channels that names none."""

_NO_PRODUCT = -1


def offers(publication: Publication, plan: Plan, picked: Picked) -> Mapping[str, Any]:
    """Return Arrow columns over the members picked, in their order; null = unknown, or nothing to say.

    reason: a `Because` code; reason_zh, reason_en: its words (dictionaries of text).
    products: ids, at most three, best first: of what the audience is about where it is about something.
    due_day: the mall day to be there for: by which the member's next purchase is as likely as not, in the categories
        that the audience is about; the launch, or as_of when it is past, of a new product.
    channel, format: what the member responds to, by responses and source channel; of channels, else that of most order
        lines. hour: of most order lines.
    benefit: a `Benefit` value, by the scenario's stated rules.
    """
    rows = picked.rows
    due_in = categories_mask(publication, plan.laid.due_in, "category") if plan.laid.due_in else None
    needs = next_needs(publication, rows, due_in, within=plan.by.within or 28)
    found = whys(publication, plan, rows, needs)
    benefit = benefits(publication, plan.scenario, rows, needs.chance)
    return {
        "reason": _texts([str(one.code) for one in found.told], found.place),
        "reason_zh": _texts([one.zh for one in found.told], found.place),
        "reason_en": _texts([one.en for one in found.told], found.place),
        "products": _ids(publication, _products(publication, plan, rows, needs)),
        "due_day": _due_day(publication, plan, needs),
        "channel": _channel(publication, rows),
        "hour": _hour(publication, rows),
        "format": _segment(publication, "preferred_format", rows),
        "benefit": _texts([str(one) for one in Benefit], benefit),
    }


def _products(publication: Publication, plan: Plan, rows: "np.ndarray", needs: Needs) -> "np.ndarray":
    """(n, shown) product rows, -1 = none."""
    if plan.laid.product_id is not None:
        own = publication.products.row(plan.laid.product_id)
        return np.full((len(rows), 1), _NO_PRODUCT if own is None else own)
    allowed = publication.sellable.copy()
    if plan.laid.about:
        allowed &= categories_mask(publication, plan.laid.about, "category")[publication.product_category]
    if plan.scenario is Scenario.CROSS_SELL:
        return shown(publication, publication.discovery, rows, allowed, None)
    category = needs.category if plan.scenario is Scenario.REPURCHASE else None
    return shown(publication, publication.recommend, rows, allowed, category)


def _due_day(publication: Publication, plan: Plan, needs: Needs) -> Any:
    today = publication.as_of.number
    if plan.scenario is Scenario.NEW_PRODUCT:
        row = publication.products.row(plan.laid.product_id or "")
        launch = np.nan if row is None else publication.product_numbers["launched_day"][row]
        days = np.full(len(needs.days), max(today, launch) if launch > today else today)
    else:
        days = today + needs.days
    unknown = np.isnan(days)
    whole = np.where(unknown, 0, days).astype(np.int32)
    return pa.array(whole, mask=unknown).cast(pa.date32())


def _channel(publication: Publication, rows: "np.ndarray") -> Any:
    """Return the best contact channel; where nothing tells one, the channel of at least half of the order lines, or of
    most.
    """
    names: list[str] = []
    place = np.full(len(rows), -1)
    for told, found in (
        _tag(publication, "main_channel", rows),
        _part(publication, "preferred_channel", rows),
        _tag(publication, "liked_channel", rows),
    ):
        place = np.where(found >= 0, len(names) + found, place)
        names.extend(told)
    return _texts(names, place)


def _tag(publication: Publication, name: str, rows: "np.ndarray") -> tuple[Sequence[str], "np.ndarray"]:
    """Return the texts of a tag, and which is each member's; -1 = unknown."""
    column = publication.traits.tags.get(name)
    return ((), np.full(len(rows), -1)) if column is None else (column.labels, column.values[rows])


def _part(publication: Publication, name: str, rows: "np.ndarray") -> tuple[Sequence[str], "np.ndarray"]:
    """Return the codes of a segmentation, and which is each member's; -1 = none, or one that names nothing."""
    column = publication.traits.segments.get(name)
    if column is None:
        return (), np.full(len(rows), -1)
    codes = column.spec.codes
    named = np.array([*(-1 if code == OTHER else at for at, code in enumerate(codes)), -1])
    return codes, named[column.values[rows]]


def _hour(publication: Publication, rows: "np.ndarray") -> Any:
    column = publication.traits.tags.get("favourite_hour")
    hours = np.full(len(rows), np.nan) if column is None else column.values[rows]
    unknown = np.isnan(hours)
    return pa.array(np.where(unknown, 0, hours).astype(np.int8), mask=unknown)


def _segment(publication: Publication, name: str, rows: "np.ndarray") -> Any:
    column = publication.traits.segments.get(name)
    if column is None:
        return pa.nulls(len(rows), pa.string())
    return _texts(list(column.spec.codes), column.values[rows])


def _texts(words: list[str], place: "np.ndarray") -> Any:
    """Return texts by their place among words, null where it is below 0; each word is kept once."""
    places: Any = pa.array(place.astype(np.int32), mask=place < 0)
    return pa.DictionaryArray.from_arrays(places, pa.array(words, type=pa.string()))


def _ids(publication: Publication, products: "np.ndarray") -> Any:
    """Return lists of product ids; rows of -1 are left out."""
    there = products >= 0
    starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    ids = publication.products.texts.columns[publication.products.column]
    own: Any = ids.take(pa.array(products[there])).cast(pa.string()) if len(ids) else pa.array([], type=pa.string())
    offsets: Any = pa.array(starts)
    return pa.ListArray.from_arrays(offsets, own)
