"""A small mall for the console's tests: three publications, a champion and a challenger, people and their keys."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.people import People
from recsys.answers.overview import remember, standing
from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_write import write_publication
from recsys.artifacts.tagging.history import record
from recsys.artifacts.tagging.settings import AlertRule
from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.keys import Key, Role, create_key
from tests.publications import Made, content
from training.gate import Gate
from training.promote import promote
from training.screen import Screen
from training.settings import Project
from training.shelf import shelve
from training.workspace import Workspace

PASSWORD = "a long password"


@dataclass(frozen=True)
class Mall:
    """Where it stands, and its keys: `olga` of operations, `ada` who may do everything, others of neither.

    lost: belongs to `lea`, to be revoked. short: belongs to `eva`, and lasts for a day.
    """

    home: Home
    ops: str
    lost: Key
    short: Key


def build(root: Path) -> Mall:
    """Make the mall."""
    home = Home(root)
    _publish(home)
    _train(home)
    with database(home.database) as engine:
        ops = create_key(engine, "olga", Role.OPS, per_second=None, at=datetime.now(UTC))[1]
        admin = create_key(engine, "ada", Role.ADMIN, per_second=None, at=datetime.now(UTC))[1]
        mall = create_key(engine, "rex", Role.MALL, per_second=None, at=datetime.now(UTC))[1]
        lost, lost_text = create_key(engine, "lea", Role.OPS, per_second=None, at=datetime.now(UTC))
        short, short_text = create_key(
            engine, "eva", Role.OPS, per_second=None, at=datetime.now(UTC), lasts=timedelta(days=1)
        )
    people = People(home.root / "console" / "people.json")
    for name, key in (
        ("olga", ops),
        ("ada", admin),
        ("rex", mall),
        ("mona", mall),
        ("lea", lost_text),
        ("eva", short_text),
    ):
        people.put(name, PASSWORD, key)
    return Mall(home, ops, lost, short)


def _publish(home: Home) -> None:
    """Publish three times, a fortnight apart; by the last one more of the loyal are new again than before."""
    now = content(version="1")
    before = _as_of(_moved(content(seed=1, version="1"), lambda n: n % 3 == 0 and n != 3), -14)
    first = _as_of(_moved(content(seed=2, version="1"), lambda n: n % 3 == 0), -28)
    rule = AlertRule.checked({"segment": "lifecycle", "from": ["loyal"], "to": ["new"], "weeks": 2, "least": 1})
    earlier: Publication | None = None
    for made in (first, before, now):
        publication = Publication.open(write_publication(home.publications, made, keep=20))
        remember(home.overview, standing(publication))
        record(home.tags, publication, earlier, [rule])
        earlier = publication


def _as_of(made: Made, days: int) -> Made:
    return replace(made, as_of=made.as_of.plus(days=days))


def _moved(made: Made, moved: Callable[[int], bool]) -> Made:
    """Put some members, by their numbers, where they were before: new, loyal and lost in turn."""
    assert made.tagged is not None
    segments = made.tagged.segments.copy()
    codes = ("new", "loyal", "lost")
    rows = [n for n in segments.index if moved(n)]
    segments.loc[rows, "lifecycle"] = [codes[(n // 3) % 3] for n in rows]
    return replace(made, tagged=replace(made.tagged, segments=segments))


def _train(home: Home) -> None:
    workspace = Workspace(home, Project(), Screen())
    _challenge(workspace, "churn", "", 0.81)
    promote(workspace, "churn", who="ada", why="the first one", force=False)
    _challenge(workspace, "churn", "1", 0.84)
    _challenge(workspace, "value", "", 0.7)
    promote(workspace, "value", who="ada", why="the first one", force=False)


def _challenge(workspace: Workspace, task: str, champion: str, auc: float) -> None:
    """Register a challenger with what training leaves beside a bundle."""
    folder = workspace.home.root / "aside"
    (folder / "bundle").mkdir(parents=True, exist_ok=True)
    (folder / "bundle" / "note.txt").write_text("empty", encoding="utf-8")
    Gate("auc", champion, passed=True, reason="no worse").write(folder)
    (folder / "report.json").write_text(json.dumps(_report(task, auc)), encoding="utf-8")
    params = {"metric": "auc", "horizon": "28", "cutoffs": "2025-01-31 2025-02-28", "code_version": "0.1.0"}
    workspace.tracking.log(task, folder, params, {"auc": auc}, {"as_of": "2025-03-31"})
    shelve(workspace, task)


def _report(task: str, auc: float) -> dict[str, Any]:
    tenths = [place / 10 for place in range(1, 11)]
    taken = [place / 100 for place in range(101)]
    return {
        "model": task,
        "cutoffs": [{"test": "2025-03-03", "rows": 400}],
        "scorers": [{"name": task, "pooled": {"auc": {"value": auc, "low": auc - 0.02, "high": auc + 0.02}}}],
        "reliability": {task: {"predicted": tenths, "observed": [p**1.1 for p in tenths], "count": [40] * 10}},
        "gain": {task: {"taken": taken, "reached": [one**0.5 for one in taken]}},
        "card": {"predicts": "The chance of it.", "use": "Audiences.", "limits": []},
    }
