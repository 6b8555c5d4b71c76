"""Tags that no feature holds: cut or drawn from features, or computed from the tables of the same day."""

import numpy as np
import pandas as pd

from recsys.artifacts.tagging.catalogue import CHANNEL_PREFIX, HOUR_BANDS, HOUR_PREFIX
from recsys.artifacts.tagging.channels import best_channel
from recsys.artifacts.tagging.formats import preferred_format
from recsys.artifacts.tagging.promotion import promotion
from recsys.artifacts.tagging.settings import Segments
from recsys.data.memory import bounded
from recsys.data.snapshot import Snapshot

AGE_EDGES = (18, 25, 35, 45, 55)
MOST_CHANNELS = 12
"""So many channels, those of most order lines first, have a tag of their own."""

VISITS = """
    WITH visit AS (
        SELECT member_id, day FROM orders WHERE NOT is_return AND day >= $day - 90
        UNION ALL
        SELECT member_id, day FROM events WHERE member_id IS NOT NULL AND day >= $day - 90
    )
    SELECT member_id, count(DISTINCT CASE WHEN day >= $day - 30 THEN day END) AS visit_days_30d,
           count(DISTINCT day) AS visit_days_90d
    FROM visit GROUP BY member_id
"""

CHANNELS = """
    WITH most AS (
        SELECT channel FROM orders WHERE NOT is_return AND channel IS NOT NULL
        GROUP BY channel ORDER BY count(*) DESC, channel LIMIT $most
    )
    SELECT member_id, channel, $day - max(day) AS days
    FROM orders JOIN most USING (channel) WHERE NOT is_return GROUP BY member_id, channel ORDER BY channel
"""

HOURS = """
    WITH line AS (SELECT member_id, day, list_extract({bands}, hour + 1) AS band FROM orders WHERE NOT is_return)
    SELECT member_id, {columns} FROM line GROUP BY member_id
"""
HOURS_OF_A_BAND = """
    count(*) FILTER (band = {band}) AS lines_{band},
    CAST($day - max(day) FILTER (band = {band}) AS DOUBLE) AS days_{band}
"""


def computed_tags(snapshot: Snapshot, members: pd.DataFrame, settings: Segments) -> pd.DataFrame:
    """Return `member_id` and every tag that no feature holds, one row a row of members, by the catalogue's names.

    members: the features of the view member, of the snapshot's day.
    A shop that brings orders only has all columns; what cannot be told is NaN or None.
    """
    ids = pd.Index(members["member_id"])
    day = snapshot.as_of.number
    with bounded(snapshot.connect()) as connection:
        visits = connection.execute(VISITS, {"day": day}).df()
        channels = connection.execute(CHANNELS, {"day": day, "most": MOST_CHANNELS}).df()
        hours = connection.execute(_hours_sql(), {"day": day}).df()
        lifts = promotion(connection, day)
        won = members[["member_id", "source_channel"]]
        formats = preferred_format(connection, day, settings.formats, won)
        reached = best_channel(connection, day, settings.contact_channels, won)
    tags = pd.DataFrame(
        {
            "age_band": age_band(members["age_years"]),
            "child_age_months": np.floor(members["child_age_months"].to_numpy(dtype=np.float64, na_value=np.nan)),
            "tenure_days": members[["days_since_registration", "days_since_first_purchase"]].max(axis=1),
            "lateness": lateness(members),
        }
    ).set_axis(ids)
    tags = tags.join(visits.set_index("member_id").reindex(ids, fill_value=0).astype(np.float64))
    tags = tags.join(lifts.set_index("member_id"))
    tags = tags.join(_hours(hours)).join(formats.set_index("member_id")).join(_by_channel(channels))
    tags = tags.join(reached.set_index("member_id"))
    return tags.rename_axis("member_id").reset_index()


def age_band(years: "pd.Series[float]") -> "pd.Series[str]":
    """Return texts such as `25-34`, None = unknown."""
    labels = [f"{low}-{high - 1}" for low, high in zip((0, *AGE_EDGES[:-1]), AGE_EDGES, strict=True)]
    labels.append(f"{AGE_EDGES[-1]}+")
    known = np.asarray(years, dtype=np.float64)
    place = np.searchsorted(AGE_EDGES, known, side="right")
    texts = np.array(labels, dtype=object)[place]
    texts[np.isnan(known) | (known < 0)] = None
    return pd.Series(texts, index=years.index, dtype=object)


def lateness(members: pd.DataFrame) -> "pd.Series[float]":
    """Return days since the last purchase over the member's usual gap; NaN = never bought.

    The usual gap is the weighted mean of the member's n gaps, drawn to the middle one of all members as if that were
    one gap more; at least a day. Where nobody has bought on two days, nobody has a usual gap.
    """
    gaps = (members["purchase_days"] - 1).clip(lower=0)
    known = members["weighted_gap"].dropna()
    shop = known.median() if len(known) else np.nan
    usual = (members["weighted_gap"].fillna(0) * gaps + shop) / (gaps + 1)
    return members["days_since_purchase"] / usual.clip(lower=1)


def _by_channel(channels: pd.DataFrame) -> pd.DataFrame:
    wide = channels.pivot_table(index="member_id", columns="channel", values="days", sort=False)
    return wide.rename(columns=lambda channel: f"{CHANNEL_PREFIX}{channel}").astype(np.float64)


def _hours_sql() -> str:
    columns = ", ".join(HOURS_OF_A_BAND.format(band=band) for band in range(len(HOUR_BANDS)))
    return HOURS.format(bands=[_band(hour) for hour in range(24)], columns=columns)


def _hours(hours: pd.DataFrame) -> pd.DataFrame:
    """Return the preferred band of hours, its share of lines, and the days since a purchase in each band.

    hours: member_id, and `lines_<n>` and `days_<n>` of the n-th band.
    """
    bands = list(HOUR_BANDS)
    lines = hours[[f"lines_{band}" for band in range(len(bands))]].to_numpy(dtype=np.float64)
    told = hours[["member_id", *(f"days_{band}" for band in range(len(bands)))]].set_index("member_id")
    told = told.set_axis([f"{HOUR_PREFIX}{name}" for name in bands], axis=1).astype(np.float64)
    first = lines.argmax(axis=1) if len(lines) else np.empty(0, dtype=np.int64)
    told.insert(0, "main_hours", np.array(bands, dtype=object)[first])
    told.insert(1, "main_hours_share", lines.max(axis=1, initial=0) / lines.sum(axis=1))
    return told


def _band(hour: int) -> int:
    """Return the place of the band that an hour lies in."""
    for place, (start, end) in enumerate(HOUR_BANDS.values()):
        if start <= hour < end or (end < start and (hour >= start or hour < end)):
            return place
    raise ValueError(hour)
