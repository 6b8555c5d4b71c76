"""Writes what members did of late as columns by day, which `recsys.artifacts.facts` reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys.artifacts.publication_content import FACT_DAYS, Content


@dataclass(frozen=True)
class Places:
    """Where the facts' ids stand: (ids,) sorted as the publication's rows are."""

    members: "pd.Index[Any]"
    products: "pd.Index[Any]"


def write_facts(
    content: Content, places: Places, save: Callable[[str, "np.ndarray"], None]
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Save the facts of a content; return the names that codes stand for, and how many of each kind were left out.

    Left out is what names an unknown member, a purchase of an unknown product, and what lies outside the days kept. An
    event's product that is unknown is none.
    """
    purchases = _coded(content, places, content.purchases)
    purchases = purchases[purchases["product"] >= 0]
    events = _coded(content, places, content.events)
    kinds, events["type"] = _names(events["type"])
    contacts = _coded(content, places, content.contacts)
    campaigns, contacts["campaign"] = _names(contacts["campaign_id"])
    channels, contacts["channel"] = _names(contacts["channel"])
    formats, contacts["format"] = _names(contacts["content_format"])
    names = {"event_types": kinds, "campaigns": campaigns, "channels": channels, "formats": formats}
    kept = {
        "purchases": purchases[["day", "member", "product", "hour", "quantity", "amount"]],
        "events": events[["day", "member", "type", "product", "hour"]],
        "contacts": contacts[["day", "member", "campaign", "channel", "format"]],
    }
    for name, facts in kept.items():
        _save(name, facts, content.as_of.number - FACT_DAYS, save)
    given = {"purchases": content.purchases, "events": content.events, "contacts": content.contacts}
    return names, {name: len(frame) - len(kept[name]) for name, frame in given.items()}


def _coded(content: Content, places: Places, frame: pd.DataFrame) -> pd.DataFrame:
    """Give facts their member and product rows, -1 = none, and leave out those without a member or a day kept."""
    coded = frame.assign(member=_rows(places.members, frame["member_id"]))
    if "product_id" in frame:
        coded = coded.assign(product=_rows(places.products, frame["product_id"]))
    first, end = content.as_of.number - FACT_DAYS, content.as_of.number
    day = coded["day"]
    return coded[(coded["member"] >= 0) & (day >= first) & (day < end)].copy()


def _rows(index: "pd.Index[Any]", ids: "pd.Series[Any]") -> "np.ndarray":
    """Return the row of each id, -1 for none; each distinct id is looked up once."""
    codes, distinct = pd.factorize(ids)
    rows = np.append(index.get_indexer(pd.Index(distinct).astype(object)), -1)
    return np.asarray(rows[codes], dtype=np.int32)


def _names(texts: "pd.Series[Any]") -> tuple[list[str], "np.ndarray"]:
    """Return the distinct texts, sorted, and the place of each, -1 = unknown."""
    codes, distinct = pd.factorize(texts)
    names = [str(name) for name in distinct]
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    place = np.empty(len(names) + 1, dtype=np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    place[-1] = -1
    return [names[at] for at in order.tolist()], place[codes]


_TYPES: Mapping[str, Any] = {"quantity": np.float32, "amount": np.float32, "hour": np.int8, "type": np.int8}


def _save(name: str, facts: pd.DataFrame, first: int, save: Callable[[str, "np.ndarray"], None]) -> None:
    columns = {name: facts[name].to_numpy(dtype=_TYPES.get(name, np.int32)) for name in map(str, facts)}
    order = np.lexsort(tuple(reversed(list(columns.values()))))
    days = columns.pop("day")
    counts = np.bincount(days - first, minlength=FACT_DAYS)
    save(f"{name}_start", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    for column, values in columns.items():
        save(f"{name}_{column}", values[order])
