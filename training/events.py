from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from recsys.data.schema import EVENT_TYPES, EVENTS
from recsys.store.database import database
from recsys.store.events import Event, received_from
from training.workspace import Workspace

MICROS = 1_000_000
TYPES: dict[str, pa.DataType] = {
    column.name: pa.timestamp("us") if column.name == EVENTS.time else pa.string() for column in EVENTS.columns
}


def run_events(workspace: Workspace, out: Path) -> None:
    """Write the log's events to a parquet file that `recsys ingest` takes as its table of events.

    Purchases are left out, as orders come from the retailer, and so are impressions and clicks.
    """
    schema = pa.schema(TYPES)
    written = 0
    with (
        database(workspace.home.database) as engine,
        engine.connect() as connection,
        pa.parquet.ParquetWriter(out, schema) as writer,
    ):
        for part in received_from(connection, 0.0):
            rows = [_row(event) for event in part if event.type in EVENT_TYPES]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            written += len(rows)
    workspace.screen.say(f"{written} events: {out}")


def _row(event: Event) -> dict[str, object]:
    told: dict[str, object] = {name: getattr(event, name) for name in TYPES}
    return {**told, "type": event.type.value, "occurred_at": round(event.at * MICROS)}
