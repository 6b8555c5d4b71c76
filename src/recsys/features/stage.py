"""Relations that are laid when a query first names them, over all members of a snapshot or over some."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pyarrow as pa

from recsys.core.time import AsOf
from recsys.features.expression import Relation

_WORD = re.compile(r"\w+")

Maker = Callable[["Stage"], None]
"""Creates the relation that it stands for in the stage it is given."""


class Stage:
    """A connection of its own, with relations that only it sees; what it does not lay itself it finds in the database.

    A relation laid here hides one of the same name that the database holds. So the same SQL tells of all members in
    one stage and of some members in another.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        as_of: AsOf,
        relations: Iterable[Relation] = (),
    ) -> None:
        self.connection = connection
        self.as_of = as_of
        self._relations = {relation.name: relation for relation in relations}
        self._makers: dict[str, Maker] = {}
        self._waiting = set(self._relations)

    def make(self, name: str, maker: Maker) -> None:
        """Let a function create a relation, once it is first named."""
        self._makers[name] = maker
        self._waiting.add(name)

    def lay(self, name: str) -> None:
        """Create a relation, and before it those that it reads, unless it is there."""
        if name not in self._waiting:
            return
        self._waiting.remove(name)
        if name in self._makers:
            self._makers[name](self)
            return
        relation = self._relations[name]
        sql = filled(relation, self.as_of)
        self.lay_for(sql)
        self.connection.execute(f"CREATE TEMP {_kind(relation)} {name} AS {sql}")

    def lay_for(self, sql: str) -> None:
        """Create all relations that a query names."""
        for name in sorted(self._waiting.intersection(_WORD.findall(sql))):
            self.lay(name)

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a query, after what it reads was laid."""
        self.lay_for(sql)
        return self.connection.execute(sql)

    def table(self, sql: str) -> "pa.Table":
        """Fetch a query's rows, each column in one piece."""
        self.lay_for(sql)
        table: pa.Table = self.connection.sql(sql).to_arrow_table()
        return table.combine_chunks()

    def put(self, name: str, frame: Any) -> None:
        """Create a table of a frame or an Arrow table, in place of one that this stage made before."""
        self._waiting.discard(name)
        self.connection.register("put", frame)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM put")
        self.connection.unregister("put")

    def close(self) -> None:
        """Drop what was laid."""
        self.connection.close()


def lay_for_all(connection: duckdb.DuckDBPyConnection, as_of: AsOf, relations: Iterable[Relation]) -> None:
    """Create relations in the database, in their order, for every stage to see.

    A view would tell a stage of its own members alone, so what stages read must be stored.
    """
    for relation in relations:
        connection.execute(f"CREATE {_kind(relation)} {relation.name} AS {filled(relation, as_of)}")


def filled(relation: Relation, as_of: AsOf) -> str:
    """Return a relation's SQL with the day told; braces that are meant are doubled."""
    return relation.sql.format(as_of=as_of.number, instant=round(as_of.instant.timestamp()) * 1_000_000)


def _kind(relation: Relation) -> str:
    return "TABLE" if relation.stored else "VIEW"
