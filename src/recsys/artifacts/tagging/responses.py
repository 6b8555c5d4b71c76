"""What members respond to: contacts of each kind (a format, a channel), and which of them a purchase followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

DAYS, RESPONSE_DAYS = 365, 7
"""Contacts of so many days are looked at; a purchase within so many days from the contact's own on is a response."""
SOURCE_LIFT = 1.25
"""How much sooner members of a source are taken to respond to the kind that the settings name for it."""
SOURCE_WEIGHT, OWN_WEIGHT = 20.0, 2.0
"""Responses to be expected that what is taken of a source, and of a member, counts like."""

Kinds = Literal["content_format", "channel"]
"""Columns of contacts that say of which kind one is."""

_COUNTED = """
    WITH sent AS (
        SELECT DISTINCT c.member_id, k.kind, c.campaign_id, c.sent_at, c.day
        FROM contacts c JOIN known k ON k.word = c.{column}
        WHERE c.day >= $day - {days} AND c.day <= $day - {response_days}
          AND (c.arm IS NULL OR c.arm NOT IN (SELECT arm FROM held_out))
    )
    SELECT member_id, kind, count(*) AS contacts,
           count(CASE WHEN EXISTS (
               SELECT 1 FROM orders o WHERE NOT o.is_return AND o.member_id = sent.member_id
                   AND o.day >= sent.day AND o.day < sent.day + {response_days}
           ) THEN 1 END) AS responses
    FROM sent GROUP BY member_id, kind ORDER BY member_id, kind
"""


@dataclass(frozen=True, eq=False)
class Responses:
    """Contacts of members and how many of them a purchase followed, both (members, kinds)."""

    contacts: "np.ndarray"
    responses: "np.ndarray"

    @property
    def whole(self) -> float:
        """Responses a contact; 0 = there was none."""
        sent = self.contacts.sum()
        return float(self.responses.sum() / sent) if sent else 0.0

    @property
    def usual(self) -> "np.ndarray":
        """(kinds,) how readily all members respond to a kind, over the mean; ones where nobody responds to anything."""
        sent = self.contacts.sum(axis=0)
        each = np.divide(self.responses.sum(axis=0), sent, out=np.zeros(len(sent)), where=sent > 0)
        return each / self.whole if self.whole else np.ones(len(sent))


def count_responses(
    connection: duckdb.DuckDBPyConnection,
    day: int,
    column: Kinds,
    words: Mapping[str, Sequence[str]],
    held_out: Sequence[str],
    ids: "pd.Series[str]",
) -> Responses:
    """Count contacts and responses of members, in the order of their ids, by kind.

    connection: of a snapshot of the day. words: kind -> what the column calls it. held_out: arms that were sent
    nothing.
    """
    pairs = [(word, kind) for kind, called in words.items() for word in called]
    known = pa.table(
        {
            "word": pa.array([word for word, _ in pairs], pa.string()),
            "kind": pa.array([kind for _, kind in pairs], pa.string()),
        }
    )
    connection.register("known", known)
    connection.register("held_out", pa.table({"arm": pa.array(held_out, pa.string())}))
    query = _COUNTED.format(column=column, days=DAYS, response_days=RESPONSE_DAYS)
    told = connection.execute(query, {"day": day}).df()
    row = pd.Index(ids).get_indexer(pd.Index(told["member_id"]))
    place = pd.Index(list(words)).get_indexer(pd.Index(told["kind"]))
    there = row >= 0
    contacts, responses = (np.zeros((len(ids), len(words))) for _ in range(2))
    contacts[row[there], place[there]] = told["contacts"].to_numpy(dtype=np.float64)[there]
    responses[row[there], place[there]] = told["responses"].to_numpy(dtype=np.float64)[there]
    return Responses(contacts, responses)


def lifts(counted: Responses, source: "pd.Series[str]", kinds: Sequence[str], told: Mapping[str, str]) -> "np.ndarray":
    """(members, kinds) responses over those to be expected, drawn to the source's, and those to the settings' word.

    To be expected are responses by how readily the member responds at all, and all members to the kind: so a heavy
    buyer prefers nothing by buying, and a coupon that all respond to is no preference.
    source: (members,) where each was won. told: source -> the kind that its members are taken to respond to sooner.
    """
    contacts, responses, whole = counted.contacts, counted.responses, counted.whole
    mix = contacts @ counted.usual
    own = (responses.sum(axis=1) + OWN_WEIGHT) / (mix * whole + OWN_WEIGHT) if whole else np.ones(len(contacts))
    expected = contacts * counted.usual * whole * own[:, None]
    code, names = pd.factorize(source)
    drawn = np.ones((len(names) + 1, len(kinds)))
    for place, name in enumerate(names):
        before = np.array([SOURCE_LIFT if kind == told.get(str(name)) else 1.0 for kind in kinds])
        of_source = code == place
        drawn[place] = (responses[of_source].sum(axis=0) + SOURCE_WEIGHT * before) / (
            expected[of_source].sum(axis=0) + SOURCE_WEIGHT
        )
    told_of: np.ndarray = (responses + OWN_WEIGHT * drawn[code]) / (expected + OWN_WEIGHT)
    return told_of


def first_by(score: "np.ndarray", kinds: Sequence[str], advantage: float) -> "np.ndarray":
    """Return each row's kind of the highest score, None where that is not `advantage` times the next one."""
    order = np.sort(score, axis=1)
    clear = np.ones(len(score), dtype=np.bool_) if len(kinds) == 1 else order[:, -1] >= advantage * order[:, -2]
    clear &= order[:, -1] > 0
    return np.array([*kinds, None], dtype=object)[np.where(clear, score.argmax(axis=1), len(kinds))]
