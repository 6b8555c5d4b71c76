from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from recsys.core.errors import ConfigError
from recsys.core.time import AsOf
from recsys.data.engine import connect, day_number, instant, stored
from recsys.data.schema import LIFE_STAGES, PRODUCTS, STORED, Table

LAUNCH_DAYS = 28


@dataclass(frozen=True)
class Snapshot:
    """What was known before `as_of`, and nothing else: features accept no other source.

    digest: of the tables it looks at.
    end: of those tables; at or after it a snapshot knows today's stock, before it stock is unknown.
    files: stored file of each table of `STORED`, None where absent.
    """

    as_of: AsOf
    digest: str
    end: AsOf
    files: Mapping[str, Path | None]

    def __post_init__(self) -> None:
        if self.as_of.zone != self.end.zone:
            raise ConfigError("as_of", f"is a day in {self.as_of.zone}, but the tables cut days in {self.end.zone}")

    def connect(self, database: Path | None = None) -> duckdb.DuckDBPyConnection:
        """Open a connection, in memory or over a new file, with one view for each of `relations`."""
        connection = connect(database)
        for name, sql in self.relations(self._stored).items():
            connection.execute(f"CREATE VIEW {name} AS {sql}")
        return connection

    def relations(self, source: Callable[[str], str]) -> dict[str, str]:
        """Return SQL of each table of `STORED`, and of `launches` and `opted_out`, by name.

        source: returns what to select a stored table from.

        Rows that came to be at or after as_of are not there: orders, events, contacts and redemptions by their day;
        members by registered_at, products by launched_at, campaigns and coupons by starts_at (null = long ago); life
        stages are settings and always there.
        What was learnt later is null: a member's tier, points_balance and updated_at unless updated_at lies before
        as_of, a product's delisted_at from as_of on, and its stock unless as_of is the end of the data or later.

        launches: products with launched_at at or after as_of, or within the 28 days before, in announced columns only
        (no delisted_at, no stock), and launch_day, the mall day of launched_at.
        opted_out: member_id of all who refuse to be personalised today: a refusal holds whatever day is looked at.
        """
        seen = {
            table.name: f"SELECT {self._columns(table)} FROM {source(table.name)} WHERE {self._known(table)}"
            for table in STORED.values()
        }
        announced = ", ".join(column.name for column in PRODUCTS.stored if column.name not in ("delisted_at", "stock"))
        launch_day = day_number("launched_at", self.as_of.zone)
        recent = f"launched_at >= {instant(self.as_of.plus(days=-LAUNCH_DAYS))}"
        launches = f"SELECT {announced}, {launch_day} AS launch_day FROM {source('products')} WHERE {recent}"
        refused = f"SELECT member_id FROM {source('members')} WHERE NOT consent_personalised"
        return {**seen, "launches": launches, "opted_out": refused}

    def _stored(self, table: str) -> str:
        return stored(STORED[table], self.files[table])

    def _known(self, table: Table) -> str:
        """Return SQL of the condition on rows that had come to be."""
        if table.time is not None:
            return f"day < {self.as_of.number}"
        if table is LIFE_STAGES:
            return "true"
        began = {"members": "registered_at", "products": "launched_at"}.get(table.name, "starts_at")
        return f"({began} IS NULL OR {began} < {instant(self.as_of)})"

    def _columns(self, table: Table) -> str:
        """Return SQL of the columns, with what was learnt later made null."""
        now = instant(self.as_of)
        if table.name == "members":
            later = ("tier", "points_balance", "updated_at")
            hidden = {name: f"CASE WHEN updated_at < {now} THEN {name} END" for name in later}
        elif table.name == "products":
            hidden = {"delisted_at": f"CASE WHEN delisted_at < {now} THEN delisted_at END"}
            if self.as_of < self.end:
                hidden["stock"] = "CAST(NULL AS DOUBLE)"
        else:
            hidden = {}
        return ", ".join(f"{hidden.get(name, name)} AS {name}" for name in (column.name for column in table.stored))
