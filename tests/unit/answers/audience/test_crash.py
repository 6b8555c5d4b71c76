import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from recsys.answers.audience import make as making
from recsys.answers.audience import package
from recsys.answers.audience.create import Order, create
from recsys.answers.audience.export import Part, Wanted, begin_export
from recsys.answers.audience.formats import Format
from recsys.answers.audience.listing import list_audiences
from recsys.answers.audience.make import Shelf
from recsys.answers.audience.package import Package, place_of
from recsys.artifacts.publication import Publication
from recsys.core import folders
from recsys.store.audiences import newest, versions
from recsys.store.audit import Action, lines
from recsys.store.database import database
from tests.audiences import ANNA, NOW, make, members

MOMENTS: dict[str, Callable[[Callable[..., Any]], None]] = {
    "while members are written": lambda stop: setattr(package, "_sizes", stop),
    "before it is sealed": lambda stop: setattr(folders, "write_text", stop),
    "when it is sealed": lambda stop: setattr(making, "move_folder", stop),
}

IN_PLACE = "when it is in place, before it is listed"


def die_at(moment: str, url: str, root: Path, publication: Path, audience_id: str | None) -> None:
    """Make an audience and be killed in the middle of it."""

    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def moved_then_killed(made: Path, target: Path) -> None:
        folders.move_folder(made, target)
        killed()

    if moment == IN_PLACE:
        setattr(making, "move_folder", moved_then_killed)  # noqa: B010
    else:
        MOMENTS[moment](killed)
    with database(url) as engine:
        shelf = Shelf(engine, root)
        opened = Publication.open(publication)
        if audience_id is None:
            make(shelf, opened)
        else:
            create(shelf, opened, Order(audience_id=audience_id), who=ANNA, now=NOW)


@pytest.mark.parametrize(
    ("moment", "new"), [*((moment, True) for moment in MOMENTS), (IN_PLACE, True), (IN_PLACE, False)]
)
def test_a_killed_maker_leaves_nothing_listed_and_nothing_in_the_way(
    moment: str, store_url: str, engine: Engine, tmp_path: Path, publication: Publication, *, new: bool
) -> None:
    shelf = Shelf(engine, tmp_path / "audiences")
    before = None if new else make(shelf, publication)
    audience_id = None if before is None else before.draft.audience_id
    arguments = (moment, store_url, shelf.root, publication.folder, audience_id)
    process = multiprocessing.get_context("spawn").Process(target=die_at, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL

    assert newest(engine) == (() if before is None else (before,))
    logged = [one.line.action for one in lines(engine, limit=9)]
    assert logged == ([] if new else [Action.CREATE])
    if before is None:
        after = make(shelf, publication)
    else:
        after = create(shelf, publication, Order(audience_id=audience_id), who=ANNA, now=NOW)
        assert members(shelf, before) == members(shelf, after)
    assert after.version == (1 if new else 2)
    Package.open(place_of(shelf.root, after.draft.audience_id, after.version), after.draft.digest)
    wanted = Wanted(Format.CSV, Part.ALL)
    export = begin_export(shelf, after, wanted, publication.opted_out, who=ANNA, now=NOW)
    assert len(b"".join(export.chunks)) > 0
    assert [one.version for one in list_audiences(shelf, who=ANNA, now=NOW).audiences] == [after.version]
    assert len(versions(engine, after.draft.audience_id)) == after.version
