"""Which content format a member prefers: by where the member was won, and by what the member responded to."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.artifacts.tagging.settings import Formats

DAYS, RESPONSE_DAYS = 365, 7
"""Contacts of so many days are looked at; a purchase within so many days from the contact's own on is a response."""
SOURCE_LIFT = 1.25
"""How much sooner members of a source are taken to respond to the format that the settings name for it."""
SOURCE_WEIGHT, OWN_WEIGHT = 20.0, 2.0
"""Responses to be expected that what is taken of a source, and of a member, counts like."""
ADVANTAGE = 1.1
"""A format is preferred when it stands so much above the next one."""

RESPONSES = f"""
    WITH sent AS (
        SELECT DISTINCT c.member_id, k.format, c.campaign_id, c.sent_at, c.day
        FROM contacts c JOIN known k ON k.word = c.content_format
        WHERE c.day >= $day - {DAYS} AND c.day <= $day - {RESPONSE_DAYS}
          AND (c.arm IS NULL OR c.arm NOT IN (SELECT arm FROM held_out))
    )
    SELECT member_id, format, count(*) AS contacts,
           count(CASE WHEN EXISTS (
               SELECT 1 FROM orders o WHERE NOT o.is_return AND o.member_id = sent.member_id
                   AND o.day >= sent.day AND o.day < sent.day + {RESPONSE_DAYS}
           ) THEN 1 END) AS responses
    FROM sent GROUP BY member_id, format ORDER BY member_id, format
"""


def preferred_format(
    connection: duckdb.DuckDBPyConnection, day: int, formats: Formats, members: pd.DataFrame
) -> pd.DataFrame:
    """Return member_id and liked_format, a code of the settings' formats; None = nothing tells one from another.

    connection: of a snapshot of the day. members: member_id and source_channel, None = unknown.
    Lifts are of responses over those to be expected from how readily the member responds at all and how readily all
    members respond to the format: so a heavy buyer prefers nothing by buying, and a coupon that all respond to is no
    preference. A member's lift is drawn to that of the source, and that to the settings' word for it.
    """
    codes = list(formats.words)
    if not codes:
        return pd.DataFrame({"member_id": members["member_id"], "liked_format": None})
    contacts, responses = _counts(connection, day, formats, members["member_id"])
    source = pd.Series(members["source_channel"].astype(object).to_numpy())
    lifts = _lifts(contacts, responses, source, codes, formats)
    order = np.sort(lifts, axis=1)
    clear = np.ones(len(lifts), dtype=np.bool_) if len(codes) == 1 else order[:, -1] >= ADVANTAGE * order[:, -2]
    best = np.array([*codes, None], dtype=object)[np.where(clear, lifts.argmax(axis=1), len(codes))]
    return pd.DataFrame({"member_id": members["member_id"].to_numpy(), "liked_format": best})


def _counts(
    connection: duckdb.DuckDBPyConnection, day: int, formats: Formats, ids: "pd.Series[str]"
) -> tuple["np.ndarray", "np.ndarray"]:
    """Return (members, formats) contacts and responses."""
    pairs = [(word, code) for code, words in formats.words.items() for word in words]
    known = pa.table({"word": [word for word, _ in pairs], "format": [code for _, code in pairs]})
    connection.register("known", known)
    connection.register("held_out", pa.table({"arm": pa.array(formats.held_out, pa.string())}))
    told = connection.execute(RESPONSES, {"day": day}).df()
    row = pd.Index(ids).get_indexer(pd.Index(told["member_id"]))
    place = pd.Index(formats.words).get_indexer(pd.Index(told["format"]))
    there = row >= 0
    contacts, responses = (np.zeros((len(ids), len(formats.words))) for _ in range(2))
    contacts[row[there], place[there]] = told["contacts"].to_numpy(dtype=np.float64)[there]
    responses[row[there], place[there]] = told["responses"].to_numpy(dtype=np.float64)[there]
    return contacts, responses


def _lifts(
    contacts: "np.ndarray", responses: "np.ndarray", source: "pd.Series[str]", codes: list[str], formats: Formats
) -> "np.ndarray":
    """(members, formats) responses over those to be expected, drawn to the source's."""
    sent = contacts.sum()
    whole = responses.sum() / sent if sent else 0.0
    each = np.divide(
        responses.sum(axis=0), contacts.sum(axis=0), out=np.zeros(len(codes)), where=contacts.sum(axis=0) > 0
    )
    usual = each / whole if whole else np.ones(len(codes))
    mix = contacts @ usual
    own = (responses.sum(axis=1) + OWN_WEIGHT) / (mix * whole + OWN_WEIGHT) if whole else np.ones(len(contacts))
    expected = contacts * usual * whole * own[:, None]
    code, names = pd.factorize(source)
    drawn = np.ones((len(names) + 1, len(codes)))
    for place, name in enumerate(names):
        told = formats.sources.get(str(name))
        before = np.array([SOURCE_LIFT if one == told else 1.0 for one in codes])
        of_source = code == place
        drawn[place] = (responses[of_source].sum(axis=0) + SOURCE_WEIGHT * before) / (
            expected[of_source].sum(axis=0) + SOURCE_WEIGHT
        )
    of_member = drawn[code]
    return (responses + OWN_WEIGHT * of_member) / (expected + OWN_WEIGHT)
