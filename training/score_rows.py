"""A day's rows of several tasks for some members at a time, read off the snapshot or computed anew where it has few."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pyarrow.parquet as pq

from recsys.core.frames import Rows
from recsys.core.parallel import shared, side_by_side
from recsys.core.task import Task, View
from recsys.features.build import OF_PAIRS, SnapshotFolder, read_rows
from recsys.features.prepared import PORTIONS, Span, prepare
from training.workspace import Workspace

Made = TypeVar("Made")

ROWS_AT_ONCE = 125_000
"""About so many rows are read at once."""


def stream(
    workspace: Workspace, folder: SnapshotFolder, wanted: Mapping[Task, frozenset[str]], use: Callable[[Rows], Made]
) -> Iterator[Made]:
    """Yield what `use` makes of some members' rows of a task, until it saw every row of each task.

    wanted: the names of each task's features that `use` looks at; the others are neither computed nor read.

    Parts are read and used by threads side by side. Those of a task come in the order of member_id, and each has all
    rows of its members. Tasks whose pairs the snapshot does not keep of everybody share one passage through all
    members, which computes them.
    """
    few = folder.kept() is not None
    computed = [task for task in wanted if few and set(OF_PAIRS) & set(task.views)]
    for task, names in wanted.items():
        if task not in computed:
            yield from stored(folder, task, names, use)
    if not computed:
        return

    needed = frozenset[str]().union(*(wanted[task] | task.columns for task in computed))

    def compute(span: Span) -> list[Made]:
        with prepared.part(span, needed) as part:
            return [use(part.rows(task, wanted[task])) for task in computed]

    with (
        TemporaryDirectory(dir=workspace.home.root, prefix=".facts-") as scratch,
        prepare(workspace.tables.at(folder.as_of), Path(scratch)) as prepared,
    ):
        for made in side_by_side(compute, prepared.spans(shared(len(prepared.members), PORTIONS.pairs))):
            yield from made


def stored(folder: SnapshotFolder, task: Task, wanted: frozenset[str], use: Callable[[Rows], Made]) -> Iterator[Made]:
    """Yield what `use` makes of a task's rows that a snapshot keeps, some members at a time, in their order.

    wanted: the names of the features that `use` looks at; the others are not read.
    """

    def read(members: tuple[str, ...] | None) -> Made:
        return use(read_rows(folder, task, members, wanted))

    return side_by_side(read, _members(folder, task))


def _members(folder: SnapshotFolder, task: Task) -> Iterator[tuple[str, ...] | None]:
    """Cut all members into parts of about as many rows; None = all of them at once."""
    rows, every = (int(folder.manifest["rows"][str(view)]) for view in (task.views[0], View.MEMBER))
    if rows <= ROWS_AT_ONCE:
        yield None
        return
    at_once = max(1, ROWS_AT_ONCE * every // rows)
    ids = pq.read_table(folder.path(View.MEMBER), columns=["member_id"]).column(0)
    for start in range(0, every, at_once):
        yield tuple(map(str, ids.slice(start, at_once).to_pylist()))
