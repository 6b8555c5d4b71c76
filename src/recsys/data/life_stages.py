from collections.abc import Sequence

import duckdb

from recsys.core.errors import ConfigError
from recsys.data.mapping import LifeStage
from recsys.data.schema import LIFE_STAGES


def write_life_stages(connection: duckdb.DuckDBPyConnection, stages: Sequence[LifeStage]) -> None:
    """Create the table of life stages beside the merged tables; none where the settings know of none.

    The settings are all that is known of stages: those of an earlier run are forgotten.
    Raises `ConfigError` that names the first category, or next category, that no product has.
    """
    if not stages:
        return
    known = _categories(connection)
    for number, stage in enumerate(stages):
        for field, category in (("category", stage.category), ("next_category", stage.next_category)):
            if category is not None and category not in known:
                raise ConfigError(f"life_stages.{number}.{field}", f"{category!r} is the category of no product")
    columns = ", ".join(f"{column.name} {column.type}" for column in LIFE_STAGES.columns)
    connection.execute(f"CREATE TABLE {LIFE_STAGES.name} ({columns})")
    connection.executemany(
        f"INSERT INTO {LIFE_STAGES.name} VALUES (?, ?, ?, ?)",
        [(stage.category, stage.from_month, stage.to_month, stage.next_category) for stage in stages],
    )


def _categories(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND table_name = 'products'"
    ).fetchall()
    if not found[0][0]:
        return set()
    return {row[0] for row in connection.execute("SELECT DISTINCT category FROM products").fetchall()}
