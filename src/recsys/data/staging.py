"""Turn a source's rows into a table's columns and types; what cannot be turned is marked, never lost."""

import duckdb

from recsys.core.errors import ConfigError, TableError
from recsys.data.engine import named, quoted
from recsys.data.mapping import MALL, ColumnMapping, TableMapping
from recsys.data.schema import DATE, FLAG, NUMBER, TEXT, TEXT_MAP, TIME, Column, Table

OFFSET = r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$"

INSTANTS = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")


def stage(connection: duckdb.DuckDBPyConnection, table: Table, mapping: TableMapping, zone: str) -> None:
    """Create staged_<table> from raw_<table>: _source, _row, the table's columns, and `_uncast`.

    zone: IANA name of the mall's time zone.
    _uncast: the rule that a value broke which is there but is none of its column's type (such as "price is no number");
        null where all is well. Empty text, and numbers that are not a number, count as unknown.
    Raises `TableError` when a required column is missing, `ConfigError` when the mapping names what is not there or
    fails on a row.
    """
    _check_formats(connection, table, mapping)
    raw = _cast_source(connection, table, mapping)
    known = {row[0] for row in connection.execute(f"DESCRIBE {raw}").fetchall()}
    origins = {column.name: _origin(table, column, mapping, known) for column in table.columns}
    types = {name: _type(connection, table, name, sql, raw) for name, sql in origins.items()}
    picked = ", ".join(f"{sql} AS {name}" for name, sql in origins.items())
    casts, rules = [], ["_uncast"]
    for column in table.columns:
        value = _value(column, types[column.name], mapping, zone)
        default = f"coalesce({value}, {column.default})" if column.default else value
        casts.append(f"{default} AS {column.name}")
        rules.append(_rule(column, types[column.name], value))
    try:
        connection.execute(
            f"CREATE TABLE staged_{table.name} AS "
            f"SELECT _source, _row, {', '.join(casts)}, coalesce({', '.join(rules)}) AS _uncast "
            f"FROM (SELECT _source, _row, _uncast, {picked} FROM ({raw}))"
        )
    except (duckdb.DataError, duckdb.ProgrammingError) as error:
        rule = f"where fails on a row: {_first_line(error)}; use `casts` or TRY_CAST"
        raise ConfigError(f"tables.{table.name}.where", rule) from error
    if mapping.negative_is_return:
        connection.execute(
            "UPDATE staged_orders SET is_return = is_return OR quantity < 0, "
            "quantity = abs(quantity), amount = abs(amount), discount = abs(discount) WHERE quantity < 0"
        )


def _check_formats(connection: duckdb.DuckDBPyConnection, table: Table, mapping: TableMapping) -> None:
    for name, column in mapping.columns.items():
        try:
            connection.execute(f"SELECT try_strptime('', {quoted(column.format or '%Y')})")
        except duckdb.Error as error:
            raise ConfigError(f"tables.{table.name}.columns.{name}.format", _first_line(error)) from error


def _cast_source(connection: duckdb.DuckDBPyConnection, table: Table, mapping: TableMapping) -> str:
    """Return SQL of the raw rows to take, with the mapping's casts done and `_uncast` where one failed."""
    own = connection.execute(f"DESCRIBE raw_{table.name}").fetchall()
    taken = next((column[0] for column in own if column[0].lower() == "_uncast"), None)
    if taken is not None:
        raise TableError(table.name, f"a source column is named {taken}, as one of ours; rename it in a query")
    casts = ", ".join(f"TRY_CAST({named(name)} AS {kind}) AS {named(name)}" for name, kind in mapping.casts.items())
    failed = [
        f"CASE WHEN nullif(trim({named(name)}::VARCHAR), '') IS NOT NULL AND TRY_CAST({named(name)} AS {kind}) IS NULL "
        f"THEN {quoted(f'{name} is no {kind}')} END"
        for name, kind in mapping.casts.items()
    ]
    raw = (
        f"SELECT *{f' REPLACE ({casts})' if casts else ''}, coalesce({', '.join(failed) or 'NULL'}, NULL)::VARCHAR "
        f"AS _uncast FROM raw_{table.name} WHERE {mapping.where or 'true'}"
    )
    try:
        connection.execute(f"DESCRIBE {raw}")
    except duckdb.Error as error:
        raise ConfigError(f"tables.{table.name}", f"casts or where: {_first_line(error)}") from error
    return raw


def _origin(table: Table, column: Column, mapping: TableMapping, known: set[str]) -> str:
    """Return SQL, over source columns, of the value that a column is made from."""
    chosen = mapping.columns.get(column.name)
    if chosen is not None and chosen.sql is not None:
        return f"TRY({chosen.sql})"
    if column.name == "attributes" and mapping.attributes:
        absent = [name for name in mapping.attributes if name not in known]
        if absent:
            raise ConfigError(f"tables.{table.name}.attributes", f"the source has no column {absent[0]}")
        names = ", ".join(quoted(name) for name in mapping.attributes)
        values = ", ".join(f"CAST({named(name)} AS VARCHAR)" for name in mapping.attributes)
        return f"map_from_entries(list_filter(map_entries(MAP([{names}], [{values}])), lambda e: e.value IS NOT NULL))"
    source = chosen.source if chosen is not None else column.name
    if source in known:
        return named(str(source))
    if chosen is not None:
        raise TableError(table.name, f"column {column.name} is missing: the source has no column {source}")
    if column.required:
        raise TableError(table.name, f"column {column.name} is missing")
    return f"CAST(NULL AS {column.type})"


def _type(connection: duckdb.DuckDBPyConnection, table: Table, name: str, sql: str, raw: str) -> str:
    try:
        return str(connection.execute(f"DESCRIBE SELECT {sql} AS value FROM ({raw})").fetchall()[0][1])
    except duckdb.Error as error:
        raise ConfigError(f"tables.{table.name}.columns.{name}", _first_line(error)) from error


def _value(column: Column, kind: str, mapping: TableMapping, zone: str) -> str:
    """Return SQL that casts a picked column to its type, null where that fails."""
    chosen = mapping.columns.get(column.name, ColumnMapping.model_validate({"from": column.name}))
    if column.type == TEXT:
        return f"nullif(trim(CAST({column.name} AS VARCHAR)), '')"
    if column.type == NUMBER:
        number = f"TRY_CAST({column.name} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    if column.type == TEXT_MAP:
        text = f"TRY_CAST({column.name} AS JSON)" if kind == TEXT else f"to_json({column.name})"
        return f"TRY_CAST({text} AS {TEXT_MAP})"
    if column.type == TIME:
        local = chosen.zone or mapping.zone
        return _instant(column.name, kind, zone if local == MALL else local, chosen.format)
    if column.type == DATE and kind == TEXT and chosen.format is not None:
        return f"CAST(try_strptime({column.name}, {quoted(chosen.format)}) AS DATE)"
    return f"TRY_CAST({column.name} AS {column.type})"


def _instant(name: str, kind: str, zone: str, time_format: str | None) -> str:
    """Return SQL of the UTC instant; a time without an offset of its own is one of the zone's wall clock."""
    if kind in INSTANTS:
        return f"timezone('UTC', CAST({name} AS TIMESTAMPTZ))"
    if kind == TEXT and time_format is not None:
        parsed = f"try_strptime({name}, {quoted(time_format)})"
        return f"timezone('UTC', {parsed})" if "%z" in time_format else _from_wall(parsed, zone)
    wall = _from_wall(f"TRY_CAST({name} AS TIMESTAMP)", zone)
    if kind != TEXT:
        return wall
    own = f"timezone('UTC', TRY_CAST({name} AS TIMESTAMPTZ))"
    return f"CASE WHEN regexp_matches({name}, {quoted(OFFSET)}) THEN {own} ELSE {wall} END"


def _from_wall(time: str, zone: str) -> str:
    return time if zone == "UTC" else f"timezone('UTC', timezone({quoted(zone)}, {time}))"


def _rule(column: Column, kind: str, value: str) -> str:
    """Return SQL of the broken rule's name, or null."""
    what = {NUMBER: "number", TIME: "time", DATE: "day", FLAG: "yes or no", TEXT_MAP: "map of texts"}.get(column.type)
    if what is None:
        return "NULL"
    there = f"nullif(trim({column.name}), '')" if kind == TEXT else column.name
    unknown = f" AND NOT coalesce(isnan(TRY_CAST({column.name} AS DOUBLE)), false)" if column.type == NUMBER else ""
    broken = f"{there} IS NOT NULL AND ({value}) IS NULL{unknown}"
    return f"CASE WHEN {broken} THEN {quoted(f'{column.name} is no {what}')} END"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
