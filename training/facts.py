"""What members did of late, as a publication keeps it: purchases, events and contacts by day."""

import pyarrow.parquet as pq

from recsys.artifacts.publication_content import FACT_DAYS
from recsys.artifacts.publication_source import Query
from recsys.data.engine import local
from recsys.data.snapshot import Snapshot

HELD_OUT = ("held_out", "held out", "holdout", "hold-out", "control", "对照", "对照组")
"""Names of an experiment's arm whose members were not contacted, in lower case."""

PURCHASES = """
    SELECT day, member_id, product_id,
           sum(quantity) AS quantity, sum(amount) AS amount, arg_min(hour, ordered_at) AS hour
    FROM orders WHERE NOT is_return AND day >= $first GROUP BY ALL
"""

EVENTS = """
    SELECT day, member_id, type, product_id, CAST(hour({local}) AS INTEGER) AS hour
    FROM events WHERE member_id IS NOT NULL AND day >= $first
"""

CONTACTS = """
    SELECT day, member_id, campaign_id, channel, content_format
    FROM contacts WHERE day >= $first AND NOT coalesce(lower(arm) IN (SELECT unnest($held_out)), false)
"""


def facts(snapshot: Snapshot) -> dict[str, Query]:
    """Query what happened in the `FACT_DAYS` days before as_of; columns as `Content` says."""
    first = {"first": snapshot.as_of.number - FACT_DAYS}
    events = EVENTS.format(local=local("occurred_at", snapshot.as_of.zone))
    return {
        "purchases": Query(snapshot.connect, PURCHASES, first, rows=_rows(snapshot, "orders")),
        "events": Query(snapshot.connect, events, first, rows=_rows(snapshot, "events")),
        "contacts": Query(
            snapshot.connect, CONTACTS, {**first, "held_out": list(HELD_OUT)}, rows=_rows(snapshot, "contacts")
        ),
    }


def _rows(snapshot: Snapshot, table: str) -> int:
    file = snapshot.files[table]
    return 0 if file is None else pq.read_metadata(file).num_rows
