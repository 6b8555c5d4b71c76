"""Which content format a member prefers: by where the member was won, and by what the member responded to."""

import duckdb
import pandas as pd

from recsys.artifacts.tagging.responses import count_responses, first_by, lifts
from recsys.artifacts.tagging.settings import Formats

ADVANTAGE = 1.1
"""A format is preferred when it stands so much above the next one."""


def preferred_format(
    connection: duckdb.DuckDBPyConnection, day: int, formats: Formats, members: pd.DataFrame
) -> pd.DataFrame:
    """Return member_id and liked_format, a code of the settings' formats; None = nothing tells one from another.

    connection: of a snapshot of the day. members: member_id and source_channel, None = unknown.
    The format of the highest lift is preferred: what counts is which format moves the member more than it moves others.
    """
    codes = list(formats.words)
    if not codes:
        return pd.DataFrame({"member_id": members["member_id"], "liked_format": None})
    counted = count_responses(connection, day, "content_format", formats.words, formats.held_out, members["member_id"])
    source = pd.Series(members["source_channel"].astype(object).to_numpy())
    best = first_by(lifts(counted, source, codes, formats.sources), codes, ADVANTAGE)
    return pd.DataFrame({"member_id": members["member_id"].to_numpy(), "liked_format": best})
