"""Cuts members into the parts that the settings describe."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys.artifacts.tagging.settings import Leaf, Segmentation, Segments
from recsys.artifacts.tagging.spec import SegmentSpec, SegmentValue

OTHER = SegmentValue("other", "其他", "other")
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def classify(
    settings: Segments, tags: pd.DataFrame, day: int, earlier: Mapping[str, SegmentSpec]
) -> tuple[pd.DataFrame, tuple[SegmentSpec, ...]]:
    """Return the parts of every member and what the parts are.

    tags: one row a member: `member_id` and the tags by name; numbers (NaN = unknown), texts (None = unknown), standings
        (bool). A tag without a column is unknown of everybody.
    day: the number of the publication's day. earlier: segmentations of the publication before, whose cuts are held.
    Columns: member_id, and for each segmentation the code of the member's part, None = none.
    """
    parts: dict[str, pd.Series[Any]] = {"member_id": tags["member_id"]}
    specs = []
    for name, segmentation in settings.segments.items():
        spec, codes = _cut(name, segmentation, tags, day, earlier.get(name))
        parts[name] = pd.Series(codes, index=tags.index, dtype=object)
        specs.append(spec)
    return pd.DataFrame(parts), tuple(specs)


def _cut(
    name: str, segmentation: Segmentation, tags: pd.DataFrame, day: int, earlier: SegmentSpec | None
) -> tuple[SegmentSpec, "np.ndarray"]:
    among = _all(segmentation.among, tags, {})
    definition = segmentation.definition
    held = (
        earlier is not None
        and earlier.definition == definition
        and 0 <= day - earlier.cut_day < segmentation.recut_days
        and earlier.cuts.keys() == segmentation.cuts.keys()
    )
    cuts, cut_day = ({}, day) if earlier is None or not held else (dict(earlier.cuts), earlier.cut_day)
    for cut_name, cut in segmentation.cuts.items() if not held else ():
        limit = _limit(_numbers(tags, cut.tag)[among], cut.rank)
        if limit is not None:
            cuts[cut_name] = limit
    if segmentation.from_tag is not None:
        values, codes = _by_text(segmentation, segmentation.from_tag, tags, among)
    else:
        values, codes = _by_conditions(segmentation, tags, among, cuts)
    about = (segmentation.zh, segmentation.en, segmentation.about_zh, segmentation.about_en)
    return SegmentSpec(name, *about, values, cuts, cut_day, definition), codes


def _by_conditions(
    segmentation: Segmentation, tags: pd.DataFrame, among: Mask, cuts: Mapping[str, float]
) -> tuple[tuple[SegmentValue, ...], "np.ndarray"]:
    codes = np.full(len(tags), None, dtype=object)
    left = among.copy()
    for value in segmentation.values:
        own = left & _all(value.when, tags, cuts)
        codes[own] = value.code
        left &= ~own
    values = dict.fromkeys(SegmentValue(value.code, value.zh, value.en) for value in segmentation.values)
    return tuple(values), codes


def _by_text(
    segmentation: Segmentation, tag: str, tags: pd.DataFrame, among: Mask
) -> tuple[tuple[SegmentValue, ...], "np.ndarray"]:
    texts = _texts(tags, tag).where(among)
    counts = texts.value_counts()
    order = sorted(counts.index, key=lambda text: (-counts[text], text))
    named = order[: segmentation.most]
    values = []
    for text in named:
        words = segmentation.words.get(text)
        values.append(SegmentValue(text, *((text, text) if words is None else (words.zh, words.en))))
    if len(order) > len(named):
        texts = texts.where(texts.isin(named) | texts.isna(), OTHER.code)
        values += [OTHER] if OTHER.code not in named else []
    codes = texts.to_numpy(dtype=object, copy=True)
    codes[texts.isna().to_numpy()] = None
    return tuple(values), codes


def _all(leaves: Sequence[Leaf], tags: pd.DataFrame, cuts: Mapping[str, float]) -> Mask:
    """(members,) where every condition holds."""
    kept = np.ones(len(tags), dtype=np.bool_)
    for leaf in leaves:
        kept &= _holds(leaf, tags, cuts)
    return kept


def _holds(leaf: Leaf, tags: pd.DataFrame, cuts: Mapping[str, float]) -> Mask:
    if leaf.among:
        texts = _texts(tags, leaf.tag)
        return np.asarray(texts.isin(leaf.among) | (leaf.unknown & texts.isna()), dtype=np.bool_)
    if leaf.min is None and leaf.max is None and not leaf.unknown:
        return np.asarray(tags[leaf.tag], dtype=np.bool_) if leaf.tag in tags else np.zeros(len(tags), dtype=np.bool_)
    if leaf.min is None and leaf.max is None:
        return np.asarray(tags[leaf.tag].isna()) if leaf.tag in tags else np.ones(len(tags), dtype=np.bool_)
    numbers = _numbers(tags, leaf.tag)
    low, high = _number(leaf.min, -np.inf, cuts), _number(leaf.max, np.inf, cuts)
    return np.asarray(((low <= numbers) & (numbers < high)) | (leaf.unknown & np.isnan(numbers)))


def _number(limit: float | str | None, none: float, cuts: Mapping[str, float]) -> float:
    """Return a limit as a number; a cut that could not be taken is NaN, which nothing meets."""
    if limit is None:
        return none
    return cuts.get(limit, np.nan) if isinstance(limit, str) else limit


def _limit(values: "np.ndarray", rank: float) -> float | None:
    """Return the lowest limit below which at least the share `rank` of the known values lies; None without any."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return None
    distinct = np.unique(known)
    below = np.searchsorted(known, distinct) / len(known)
    enough = distinct[below >= rank]
    return float(enough[0]) if len(enough) else float(np.nextafter(distinct[-1], np.inf))


def _numbers(tags: pd.DataFrame, name: str) -> "np.ndarray":
    if name not in tags:
        return np.full(len(tags), np.nan)
    return tags[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _texts(tags: pd.DataFrame, name: str) -> "pd.Series[Any]":
    if name not in tags:
        return pd.Series(None, index=tags.index, dtype=object)
    return tags[name].map(str, na_action="ignore").astype(object)
