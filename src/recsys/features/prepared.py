"""A snapshot made ready to be computed for some members at a time: what looks across members is computed once.

The facts of all members lie in a database on disk, ordered by member, so that a part reads little more than its own. A
feature is the same whatever part it is computed in.
"""

from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Self

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from recsys.core.frames import Rows
from recsys.core.parallel import AT_ONCE, shared, side_by_side
from recsys.core.task import Task, View
from recsys.core.time import AsOf
from recsys.data.engine import quoted
from recsys.data.memory import bound
from recsys.data.snapshot import Snapshot
from recsys.features import relations
from recsys.features.assembly import view_schema, view_tables
from recsys.features.candidates import CandidateConfig, lay_candidates, offer
from recsys.features.expression import Relation
from recsys.features.facts import ACTIVE_DAYS
from recsys.features.hazard import hazards
from recsys.features.joined import PLACE, joined_keys, joined_rows
from recsys.features.layers import in_layers
from recsys.features.level import LEVELS, PRODUCT, Level
from recsys.features.scoring import Learnt, learn_level
from recsys.features.stage import Stage, filled, lay_for_all
from recsys.features.visits import Codes, numbers

FACTS = "facts.duckdb"

RAW = ("orders", "events", "contacts", "redemptions", "members")
"""The tables that tell of members, each ordered by member_id."""

CODED = ("member_base", "member_spine", "active_member")
"""What is told of members once and for all, beside the kept facts."""

ITEMS = (View.CATEGORY, View.SUBCATEGORY, View.PRODUCT)


Begin = Callable[[str], None]
"""Called with the name of each step that begins."""


def in_silence(step: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Portions:
    """How many members are computed at once, which bounds the memory and changes no feature.

    facts: whose facts are taken from the tables. plain: of whom all but their pairs is computed. pairs: with their
        pairs, a hundred rows and more a member.
    """

    facts: int = 20_000
    plain: int = 5_000
    pairs: int = 2_000


PORTIONS = Portions()


@dataclass(frozen=True)
class Span:
    """Some members whose codes follow each other, first and last included; codes are in the order of member_id.

    chosen: the codes that are meant, ascending, where not all of them are.
    """

    first: int
    last: int
    chosen: Codes | None = None

    @classmethod
    def of(cls, codes: Codes) -> Self:
        """Take members by their codes, in any order; there must be one."""
        first, last = int(codes.min()), int(codes.max())
        return cls(first, last, None if len(codes) == last - first + 1 else np.sort(codes))


NOBODY = Span(1, 0)


class Part:
    """The features of some members, each view computed when it is first asked for; closed, it forgets them.

    wanted: names of features; members have no others; None = all.
    """

    def __init__(self, stage: Stage, items: "dict[View, pa.Table]", wanted: Container[str] | None = None) -> None:
        self._stage = stage
        self._tables = dict(items)
        self._wanted = wanted

    @property
    def as_of(self) -> AsOf:
        """The day whose features these are."""
        return self._stage.as_of

    def tables(self, view: View) -> "Iterator[pa.Table]":
        """Compute a view once and forget it; columns as `assembly.view_schema` says, rows ordered by their keys."""
        return view_tables(self._stage, view, self._wanted)

    def table(self, view: View) -> "pa.Table":
        """Compute a view, or remember it; an item view is of all items."""
        if view not in self._tables:
            empty = view_schema(view, self._wanted).empty_table()
            self._tables[view] = pa.concat_tables([empty, *self.tables(view)])
        return self._tables[view]

    def read(self, view: View) -> pd.DataFrame:
        """Read a view as a stored snapshot would, of these members."""
        return self.table(view).to_pandas()

    def keys(self, task: Task) -> pd.DataFrame:
        """Read the (n, k) keys of a task's rows of these members, ordered."""
        with self._placed(task) as (connection, places):
            return joined_keys(connection, places, task)

    def rows(self, task: Task, wanted: Container[str] | None = None) -> Rows:
        """Read a task's rows of these members: equal to those of a stored snapshot, see `joined.joined_rows`.

        wanted: names of features, of those that this part has; None = all of these.
        """
        with self._placed(task) as (connection, places):
            return joined_rows(connection, places, task, self.as_of, wanted=self._wanted if wanted is None else wanted)

    @contextmanager
    def _placed(self, task: Task) -> "Iterator[tuple[duckdb.DuckDBPyConnection, dict[View, str]]]":
        with duckdb.connect(":memory:") as connection:
            for view in task.views:
                table = self.table(view)
                connection.register(f"{view}_rows", table.append_column(PLACE, pa.array(np.arange(len(table)))))
            yield connection, {view: f"{view}_rows" for view in task.views}


@dataclass(frozen=True)
class Prepared:
    """A snapshot whose members can be computed some at a time; threads may compute several parts at once.

    As long as it is open, BLAS keeps to one thread: how it shares work among threads would change how it rounds.

    members: (n,) member_id by code, code 1 first: all that are known.
    items: the views of items, whole. learnt: by level, what its candidates are drawn from.
    """

    snapshot: Snapshot
    config: CandidateConfig
    members: "np.ndarray"
    items: "dict[View, pa.Table]"
    learnt: dict[Level, Learnt]
    connection: duckdb.DuckDBPyConnection
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def spans(self, members_at_once: int = PORTIONS.pairs) -> tuple[Span, ...]:
        """Cut all members into spans; of a snapshot without members, one span of nobody."""
        return _spans(len(self.members), members_at_once)

    def spans_of(self, codes: Codes, members_at_once: int = PORTIONS.pairs) -> tuple[Span, ...]:
        """Cut some members, by their codes in ascending order, into spans."""
        return tuple(Span.of(codes[start : start + members_at_once]) for start in range(0, len(codes), members_at_once))

    def draw(self, count: int) -> Codes:
        """Draw about as many of the members who are offered candidates, ascending; all where there are no more.

        The draw is of the day, so other members are drawn on other days; and in layers of their latest purchase days.
        """
        active = self.learnt[PRODUCT].active
        if count >= len(active):
            return active
        with self.stage() as stage:
            code, days = numbers(stage, _ACTIVITY.format(first=self.snapshot.as_of.number - ACTIVE_DAYS))
        return code[in_layers(days, count, self.snapshot.as_of.number)]

    @contextmanager
    def part(self, span: Span, wanted: Container[str] | None = None) -> Iterator[Part]:
        """Open the features of some members.

        wanted: names of features that alone are computed, and `Task.columns` of the tasks that are asked for; None =
            all features.
        """
        with self.stage(span) as stage:
            yield Part(stage, self.items, wanted)

    @contextmanager
    def stage(self, span: Span | None = None) -> Iterator[Stage]:
        """Open the relations of some members, or those of all that look across members."""
        if span is None:
            stage = Stage(self._cursor(), self.snapshot.as_of)
        else:
            stage = _stage_of(self._cursor(), self.snapshot.as_of, span)
            for level, learnt in self.learnt.items():
                stage.make(f"candidate_{level.name}", partial(lay_candidates, learnt=learnt, config=self.config))
        try:
            yield stage
        finally:
            stage.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self.lock:
            return self.connection.cursor()


@contextmanager
def prepare(
    snapshot: Snapshot,
    scratch: Path,
    candidates: CandidateConfig | None = None,
    portions: Portions = PORTIONS,
    begin: Begin = in_silence,
) -> Iterator[Prepared]:
    """Take the facts of all members from the tables, and compute what looks across members.

    scratch: an empty folder for the facts, which the caller removes: some 40 bytes an order line.
    """
    config = candidates or CandidateConfig()
    as_of = snapshot.as_of
    with snapshot.connect(scratch / FACTS) as connection, threadpool_limits(1, "blas"):
        bound(connection, scratch)
        begin("who and what there is")
        lay_for_all(connection, as_of, relations.BASES)
        everybody = Stage(connection.cursor(), as_of)
        names = everybody.execute("SELECT member_id FROM member_base ORDER BY member_code").fetchnumpy()["member_id"]
        members = np.asarray(names, dtype=object)
        begin("facts")
        with _asked_side_by_side(connection):
            _keep_facts(connection, as_of, len(members), portions.facts)
        begin("across members")
        lay_for_all(connection, as_of, relations.SHOP)
        items = {
            view: pa.concat_tables([view_schema(view).empty_table(), *view_tables(everybody, view)]) for view in ITEMS
        }
        begin("learn candidates")
        learnt = {level: learn_candidates(connection, everybody, level, config) for level in LEVELS}
        everybody.close()
        with _asked_side_by_side(connection):
            yield Prepared(snapshot, config, members, items, learnt, connection)


def learn_candidates(
    connection: duckdb.DuckDBPyConnection, everybody: Stage, level: Level, config: CandidateConfig
) -> Learnt:
    """Learn what a level's candidates are drawn from, and keep what may be offered and the level's hazards."""
    found = {f"{level.name}_offer": offer(everybody, level), f"{level.name}_hazard": hazards(everybody, level)}
    for name, frame in found.items():
        connection.register("told", frame)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM told")
        connection.unregister("told")

    def of_members(codes: Codes) -> Stage:
        return _stage_of(connection.cursor(), everybody.as_of, Span.of(codes) if len(codes) else NOBODY)

    chosen = config.of(level)
    return learn_level(everybody, of_members, level, config.pool, chosen.tifu, chosen.upcf, chosen.collaborative)


def _spans(members: int, at_once: int) -> tuple[Span, ...]:
    return tuple(Span(start + 1, min(start + at_once, members)) for start in range(0, max(members, 1), at_once))


def _keep_facts(connection: duckdb.DuckDBPyConnection, as_of: AsOf, members: int, at_once: int) -> None:
    """Take the facts from the tables, some members at a time, and keep those of all."""
    kept = [fact for fact in relations.FACTS if fact.name in {*relations.KEPT, *relations.COUNTED}]
    passing = [replace(fact, stored=False) for fact in relations.FACTS if fact not in kept]

    def take(span: Span, put: str = "INSERT INTO {} {}") -> None:
        cuts = (replace(_cut(name, span), stored=False) for name in relations.KEPT)
        known = (_cut(name, span) for name in CODED[:2])
        with closing(connection.cursor()) as own:
            stage = Stage(own, as_of, (*_of_members(own, span), *known, *passing, *cuts))
            for fact in kept:
                sql = filled(fact, as_of)
                stage.lay_for(sql)
                own.execute(put.format(_everybody(fact.name), sql))

    take(NOBODY, "CREATE TABLE {} AS {}")
    deque(side_by_side(take, _spans(members, shared(members, at_once))), maxlen=0)


@contextmanager
def _asked_side_by_side(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Leave the engine as many threads fewer as there are that ask it at once, on two processors one.

    Two threads of a query would each group the same members, and what they found would be put together once more.
    """
    cores = int(connection.execute("SELECT current_setting('threads')").fetchall()[0][0])
    connection.execute(f"SET threads = {max(1, cores - AT_ONCE + 1)}")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {cores}")


def _of_members(connection: duckdb.DuckDBPyConnection, span: Span) -> tuple[Relation, ...]:
    """Cut the tables that tell of members; they lie in the order of member_id, so little else of them is read."""
    bounds = connection.execute(
        f"SELECT min(member_id), max(member_id) FROM {_everybody('member_base')} WHERE member_code IN (?, ?)",
        [span.first, span.last],
    ).fetchall()[0]
    if bounds[0] is None:
        return ()
    first, last = (quoted(name).replace("{", "{{").replace("}", "}}") for name in bounds)
    inside = f"member_id BETWEEN {first} AND {last}"
    return tuple(Relation(name, f"SELECT * FROM {_everybody(name)} WHERE {inside}", stored=False) for name in RAW)


def _stage_of(connection: duckdb.DuckDBPyConnection, as_of: AsOf, span: Span) -> Stage:
    """Open the relations of a span's members in a connection of their own."""
    pairs = (relation for of_level in relations.PAIRS.values() for relation in of_level)
    cuts = (_cut(name, span) for name in (*CODED, *relations.KEPT))
    told = (*_of_members(connection, span), *relations.LINES, *cuts, *relations.MEMBERS, *pairs)
    stage = Stage(connection, as_of, told)
    if span.chosen is not None:
        stage.put("chosen_member", pd.DataFrame({"member_code": span.chosen}))
    return stage


def _cut(name: str, span: Span) -> Relation:
    """Take the rows of a span's members from what is kept of all."""
    chosen = "" if span.chosen is None else "AND member_code IN (SELECT member_code FROM chosen_member)"
    inside = f"member_code BETWEEN {span.first} AND {span.last} {chosen}"
    return Relation(name, f"SELECT * FROM {_everybody(name)} WHERE {inside}")


def _everybody(name: str) -> str:
    """Name a relation of all members, which a stage may hide behind its own."""
    return f"{Path(FACTS).stem}.main.{name}"


_ACTIVITY = """
    SELECT active.member_code, count(day)
    FROM active_member AS active JOIN member_day ON member_day.member_code = active.member_code
    WHERE day >= {first} GROUP BY active.member_code ORDER BY active.member_code
"""
