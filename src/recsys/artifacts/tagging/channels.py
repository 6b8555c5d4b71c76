"""By which channel a member is best contacted: where a response is most to be expected."""

from collections.abc import Mapping

import duckdb
import numpy as np
import pandas as pd

from recsys.artifacts.tagging.responses import DAYS, SOURCE_WEIGHT, Responses, count_responses, first_by, lifts
from recsys.artifacts.tagging.settings import ContactChannels

MOST = 12
"""So many channels, those of most contacts first, are told apart."""
MISSED = 3.0
"""Where so many contacts were to be expected of a channel, by its share of all, none comes by chance in 5% of cases."""
ADVANTAGE = 1.1
"""A channel is the best when so much more response is to be expected there than by the next one."""

_CHANNELS = f"""
    SELECT channel FROM contacts WHERE channel IS NOT NULL AND day >= $day - {DAYS}
    GROUP BY channel ORDER BY count(*) DESC, channel LIMIT {MOST}
"""


def best_channel(
    connection: duckdb.DuckDBPyConnection, day: int, channels: ContactChannels, members: pd.DataFrame
) -> pd.DataFrame:
    """Return member_id and liked_channel, a channel as contacts name it; None = nothing tells one from another.

    connection: of a snapshot of the day. members: member_id and source_channel, None = unknown.
    What is to be expected of a channel is how readily all members respond there, times the member's own lift, which is
    drawn to that of the source. A source that is itself a channel of contacts speaks for it. Out of question are a
    channel that never reached the member, where others did so often that it should have `MISSED` times, and one that
    nobody was contacted by, unless the source speaks for it.
    """
    kinds = [name for (name,) in connection.execute(_CHANNELS, {"day": day}).fetchall()]
    kinds += sorted({*channels.sources.values()} - {*kinds})
    if not kinds:
        return pd.DataFrame({"member_id": members["member_id"], "liked_channel": None})
    words = {kind: (kind,) for kind in kinds}
    counted = count_responses(connection, day, "channel", words, channels.held_out, members["member_id"])
    source = pd.Series(members["source_channel"].astype(object).to_numpy())
    told = {kind: kind for kind in kinds} | dict(channels.sources)
    score = lifts(counted, source, kinds, told) * _readiness(counted) * _in_question(counted, source, kinds, told)
    best = first_by(score, kinds, ADVANTAGE)
    return pd.DataFrame({"member_id": members["member_id"].to_numpy(), "liked_channel": best})


def _readiness(counted: Responses) -> "np.ndarray":
    """(channels,) how readily all members respond there, over the mean; of few contacts it is drawn to 1."""
    expected = counted.contacts.sum(axis=0) * counted.whole
    readiness: np.ndarray = (counted.responses.sum(axis=0) + SOURCE_WEIGHT) / (expected + SOURCE_WEIGHT)
    return readiness


def _in_question(
    counted: Responses, source: "pd.Series[str]", kinds: list[str], told: Mapping[str, str]
) -> "np.ndarray":
    """(members, channels) 1 where a channel comes into question, else 0."""
    sent = counted.contacts.sum(axis=0)
    due = counted.contacts.sum(axis=1)[:, None] * (sent / max(sent.sum(), 1.0))
    spoken_for = source.map(told).to_numpy(dtype=object)[:, None] == np.array(kinds, dtype=object)
    open_to: np.ndarray = (counted.contacts > 0) | (due < MISSED) & ((sent > 0) | spoken_for)
    return np.where(open_to, 1.0, 0.0)
