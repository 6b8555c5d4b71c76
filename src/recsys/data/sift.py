"""Part the good rows of a staged table from the bad ones, and count both."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from recsys.core.errors import TableError
from recsys.data.mapping import TableMapping
from recsys.data.schema import Table


@dataclass(frozen=True)
class TableReport:
    """What became of a source table's rows.

    read: rows the source has, those left out by the mapping's `where` not counted.
    kept: good ones. skipped: rows of a key that another row has, where the mapping expects that.
    rejected: rule -> rows that broke it first.
    """

    table: str
    read: int
    kept: int
    skipped: int
    rejected: Mapping[str, int]

    @property
    def bad(self) -> int:
        """All rejected rows."""
        return sum(self.rejected.values())

    def failure(self, max_bad_share: float) -> TableError | None:
        """Return the error when more than this share of the rows is bad; it names the rules, the most broken first."""
        if self.bad <= max_bad_share * self.read:
            return None
        broken = sorted(self.rejected, key=lambda rule: -self.rejected[rule])
        rules = [f"{rule} ({self.rejected[rule]})" for rule in broken] if len(broken) > 1 else broken
        return TableError(self.table, "; ".join(rules), self.bad)


def sift(connection: duckdb.DuckDBPyConnection, table: Table, mapping: TableMapping) -> TableReport:
    """Create the view good_<table>, the staged rows that stay, and complete broken_<table> with the repeated keys.

    Of the rows of one key the last one stays: the newest version where the table has one, then the last in the source.
    """
    name = table.name
    skipped = _part_repeated(connection, table, mapping) if table.key else 0
    skip = f"ANTI JOIN repeated_{name} USING (_source, _row)" if table.key else ""
    connection.execute(
        f"CREATE VIEW good_{name} AS SELECT {', '.join(column.name for column in table.columns)} "
        f"FROM staged_{name} ANTI JOIN broken_{name} USING (_source, _row) {skip}"
    )
    rejected = dict(
        connection.execute(
            f"SELECT rule, count(*) FROM (SELECT rule FROM broken_{name} UNION ALL SELECT reason FROM unread_{name}) "
            "GROUP BY rule ORDER BY rule"
        ).fetchall()
    )
    kept = int(connection.execute(f"SELECT count(*) FROM good_{name}").fetchall()[0][0])
    return TableReport(name, kept + skipped + sum(rejected.values()), kept, skipped, MappingProxyType(rejected))


def _part_repeated(connection: duckdb.DuckDBPyConnection, table: Table, mapping: TableMapping) -> int:
    """Create repeated_<table>; return how many of its rows the mapping expects, or note them as broken."""
    key = ", ".join(table.key)
    newest = ["_source DESC", "_row DESC"]
    if table.version is not None:
        newest.insert(0, f"{table.version} DESC NULLS LAST")
    connection.execute(
        f"CREATE TABLE repeated_{table.name} AS "
        f"SELECT _source, _row FROM staged_{table.name} ANTI JOIN broken_{table.name} USING (_source, _row) "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(newest)}) > 1"
    )
    if mapping.one_per_key:
        return int(connection.execute(f"SELECT count(*) FROM repeated_{table.name}").fetchall()[0][0])
    connection.execute(
        f"INSERT INTO broken_{table.name} SELECT _source, _row, $rule FROM repeated_{table.name}",
        {"rule": f"{key} must not repeat; the last row stays"},
    )
    return 0
