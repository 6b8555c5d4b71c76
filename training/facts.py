"""What members did of late, as a publication keeps it: purchases, events and contacts by day."""

import pandas as pd

from recsys.artifacts.publication_content import FACT_DAYS
from recsys.data.engine import local
from recsys.data.snapshot import Snapshot

HELD_OUT = ("held_out", "held out", "holdout", "hold-out", "control", "对照", "对照组")
"""Names of an experiment's arm whose members were not contacted, in lower case."""

# Ids are cast to enumerations: a frame then holds each text once.
WHO = """
    CREATE TYPE who AS ENUM (
        SELECT member_id FROM orders
        UNION SELECT member_id FROM events WHERE member_id IS NOT NULL
        UNION SELECT member_id FROM contacts
        ORDER BY member_id
    )
"""

WHAT = """
    CREATE TYPE what AS ENUM (
        SELECT product_id FROM orders
        UNION SELECT product_id FROM events WHERE product_id IS NOT NULL
        ORDER BY product_id
    )
"""

PURCHASES = """
    SELECT day, CAST(member_id AS who) AS member_id, CAST(product_id AS what) AS product_id,
           sum(quantity) AS quantity, sum(amount) AS amount, arg_min(hour, ordered_at) AS hour
    FROM orders WHERE NOT is_return AND day >= $first GROUP BY ALL
"""

EVENTS = """
    SELECT day, CAST(member_id AS who) AS member_id, type, CAST(product_id AS what) AS product_id,
           CAST(hour({local}) AS INTEGER) AS hour
    FROM events WHERE member_id IS NOT NULL AND day >= $first
"""

CONTACTS = """
    SELECT day, CAST(member_id AS who) AS member_id, campaign_id, channel, content_format
    FROM contacts WHERE day >= $first AND NOT coalesce(lower(arm) IN (SELECT unnest($held_out)), false)
"""


def facts(snapshot: Snapshot) -> dict[str, pd.DataFrame]:
    """List what happened in the `FACT_DAYS` days before as_of; columns as `Content` says, ids as categories."""
    first = {"first": snapshot.as_of.number - FACT_DAYS}
    with snapshot.connect() as connection:
        connection.execute(WHO)
        connection.execute(WHAT)
        events = EVENTS.format(local=local("occurred_at", snapshot.as_of.zone))
        return {
            "purchases": connection.execute(PURCHASES, first).df(),
            "events": connection.execute(events, first).df(),
            "contacts": connection.execute(CONTACTS, {**first, "held_out": list(HELD_OUT)}).df(),
        }
