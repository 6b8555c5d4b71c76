"""What has moved since a model was judged: its features, its scores, and what it does now that the days have passed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.artifacts.bundle import ModelBundle, load_bundle
from recsys.core.errors import ArtifactError, DriftError, MissingError
from recsys.core.folders import current, read_manifest
from recsys.core.frames import Rows
from recsys.core.task import Task
from recsys.core.time import AsOf
from recsys.evaluation.backtest import REPEATS, Backtest, Fold, FoldResult, Result
from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.drift import Shift, fallen, shifts
from recsys.evaluation.metrics import LISTED, metric_of
from recsys.evaluation.record import load_backtest
from recsys.evaluation.report import Report, build_report
from recsys.features.build import SnapshotFolder, code_digest, read_rows
from recsys.labels.outcomes import label
from recsys.models.contract import Explained
from training.drift_page import write_pages
from training.evaluate import write_report
from training.examples import Examples, snapshot
from training.gate import RECORD
from training.score import BUNDLE
from training.score_files import read_panel
from training.settings import DriftSettings
from training.tracking import Registered
from training.workspace import Workspace

EXPLAINED_ROWS = 1000
NAMED = 3


@dataclass(frozen=True)
class Moved:
    """A feature or a score. importance: share of the model's contributions, NaN for scores. alarm: see `[drift]`."""

    kind: str
    shift: Shift
    importance: float
    alarm: bool


@dataclass(frozen=True)
class Realised:
    """What a version's kept scores of a day were worth. promised: the same metric of its back-test."""

    day: str
    version: str
    metric: str
    value: Interval
    promised: Interval
    rows: int
    alarm: bool


@dataclass(frozen=True)
class TaskDrift:
    """One task. then, now: the days compared. versions: of the models whose scores of those days were compared.

    rows: of both days. moved: scores first, then features, most moved first. realised: None when no kept scores are of
    a day whose horizon has passed.
    """

    task: str
    then: str
    now: str
    versions: tuple[str, str]
    rows: tuple[int, int]
    moved: tuple[Moved, ...]
    realised: Realised | None

    @property
    def alarms(self) -> tuple[str, ...]:
        """Every alarm in a few words."""
        found = [f"{self.task}: {item.shift.name} psi {item.shift.psi:.2f}" for item in self.moved if item.alarm]
        if self.realised is not None and self.realised.alarm:
            real = self.realised
            found.append(
                f"{self.task}: {real.metric} of {real.day} {real.value.value:.4f}, promised {real.promised.value:.4f}"
            )
        return tuple(found)


def run_drift(workspace: Workspace, name: str, against: str) -> None:
    """Compare the current publication's features and scores with an earlier day's, and scores with what came of them.

    The earlier day is `against`, or that of an earlier publication (`[drift] days`), or where none is kept the last
    day that the published version was tested on.
    Raises `DriftError` when a threshold of `[drift]` is passed.
    """
    folder = current(workspace.home.publications)
    if folder is None:
        raise MissingError("publication", "recsys publish")
    manifest = read_manifest(folder, verify=False)
    now = AsOf.parse(manifest["as_of"], manifest["zone"])
    latest = now.plus(days=-workspace.project.drift.days)
    then = workspace.as_of(against) if against else published_by(workspace, latest)
    tasks = [task for task in workspace.tasks(name) if task in manifest["model_versions"]]
    if not tasks and name != "all":
        raise MissingError(f"{name} in the current publication", "recsys publish")
    found = []
    workspace.home.reports.mkdir(parents=True, exist_ok=True)
    with workspace.screen.step("drift", len(tasks)) as advance:
        for task in tasks:
            advance(task)
            found.append(examine(workspace, task, manifest["model_versions"][task], then, now))
    page = write_pages(found, workspace.home.reports, workspace.project.drift, workspace.screen)
    alarms = [alarm for task in found for alarm in task.alarms]
    if alarms:
        more = f" and {len(alarms) - NAMED} more" if len(alarms) > NAMED else ""
        raise DriftError(", ".join(alarms[:NAMED]) + more, page)
    workspace.screen.say(f"nothing passed a threshold; report: {page}")


def published_by(workspace: Workspace, latest: AsOf) -> AsOf | None:
    """Return the last day up to `latest` of which a publication is kept, or None."""
    days = []
    for folder in workspace.home.publications.glob("[0-9]*"):
        try:
            manifest = read_manifest(folder, verify=False)
        except ArtifactError:
            continue
        days.append(AsOf.parse(manifest["as_of"], manifest["zone"]))
    return max((day for day in days if day.zone == latest.zone and day <= latest), default=None)


def examine(workspace: Workspace, task: str, version: str, then: AsOf | None, now: AsOf) -> TaskDrift:
    """Compare two days of one task, and its kept scores with what came of them.

    then: None = the last day that the version was tested on.
    """
    registered = workspace.tracking.version(task, version)
    bundle = load_bundle(workspace.tracking.folder(registered) / BUNDLE)
    before = then or AsOf.parse(registered.params["tests"].split()[-1], now.zone)
    settings = workspace.project.drift
    first, second = (rows_of(workspace, bundle.task, day) for day in (before, now))
    units = members(first.keys), members(second.keys)
    old, old_version = scores_of(workspace, registered, bundle, first)
    new, new_version = scores_of(workspace, registered, bundle, second)
    columns = list(bundle.task.scores)
    scores = shifts(old[columns], new[columns], (members(old), members(new)))
    leant = importance(bundle, second)
    features = shifts(first.values, second.values, units)
    return TaskDrift(
        task,
        str(before),
        str(now),
        (old_version, new_version),
        (len(first), len(second)),
        (
            *(Moved("score", shift, math.nan, shift.beyond(settings.psi)) for shift in scores),
            *(_feature(shift, leant.get(shift.name, 0.0), settings) for shift in features),
        ),
        realised(workspace, task, settings),
    )


def _feature(shift: Shift, leant: float, settings: DriftSettings) -> Moved:
    return Moved("feature", shift, leant, shift.beyond(settings.psi) and leant >= settings.importance)


def rows_of(workspace: Workspace, task: Task, day: AsOf) -> Rows:
    """Read a task's rows off the snapshot that stands for a day; it is computed when none of today's code does."""
    return read_rows(standing_snapshot(workspace, day) or snapshot(workspace, day), task)


def standing_snapshot(workspace: Workspace, day: AsOf) -> SnapshotFolder | None:
    """Open a day's snapshot as it was made, perhaps of earlier tables; None when there is none of today's code."""
    try:
        found = SnapshotFolder.open(workspace.home.snapshots, day)
    except (MissingError, ArtifactError):
        return None
    return found if found.manifest["features_digest"] == code_digest() else None


def scores_of(
    workspace: Workspace, registered: Registered, bundle: ModelBundle, rows: Rows
) -> tuple[pd.DataFrame, str]:
    """Return a day's scores and the version that made them: as kept then, as of the back-test, or as scored now."""
    task, day = registered.task, rows.as_of
    kept = kept_scores(workspace.home.scores / task / f"as_of={day}", bundle.task)
    if kept is not None:
        return kept
    try:
        folds = load_backtest(workspace.tracking.folder(registered) / RECORD, bundle.task).folds
    except ArtifactError:
        folds = ()
    for fold in folds:
        if fold.fold.test == day:
            keys = fold.rows[list(bundle.task.keys)]
            return pd.concat([keys, next(iter(fold.results.values())).scores], axis=1), registered.version
    return bundle.model.score(rows).table, registered.version


def kept_scores(folder: Path, task: Task) -> tuple[pd.DataFrame, str] | None:
    """Read a folder's panel and the version that scored it; None when there is none of this task's form."""
    try:
        version = str(read_manifest(folder)["version"])
        table = read_panel(folder)
    except (ArtifactError, FileNotFoundError):
        return None
    return (table, version) if {*task.keys, *task.scores} <= {*table.columns} else None


def importance(bundle: ModelBundle, rows: Rows) -> dict[str, float]:
    """Return each feature's share of the absolute contributions to some of the rows' scores; they sum to 1."""
    if not isinstance(bundle.model, Explained) or not len(rows):
        return {}
    drawn = np.zeros(len(rows), dtype=bool)
    drawn[np.linspace(0, len(rows) - 1, min(len(rows), EXPLAINED_ROWS)).astype(int)] = True
    weight = np.abs(bundle.model.contributions(rows.take(drawn))).mean(axis=0)
    total = float(weight.sum())
    return {spec.name: float(part) / total for spec, part in zip(rows.specs, weight, strict=True)} if total else {}


def members(table: pd.DataFrame) -> int:
    """Count the members of a table, which are what varies independently."""
    return int(table["member_id"].nunique())


def realised(workspace: Workspace, name: str, settings: DriftSettings) -> Realised | None:
    """Judge the latest kept scores whose horizon has passed, and write their report beside the back-test's."""
    found = latest_known(workspace, name)
    if found is None:
        return None
    scores, registered, task, day = found
    report = judge_kept(workspace, scores, registered, task, day)
    write_report(report, workspace.home.reports, f"realised_{name}")
    metric = metric_of(name, task.metric)
    value = report.scorer(name).pooled[metric.name]
    promised = Interval(*(registered.metrics.get(f"{metric.name}{end}", math.nan) for end in ("", "_low", "_high")))
    alarm = fallen(value, promised, metric.better, loss=settings.loss)
    return Realised(str(day), registered.version, metric.name, value, promised, report.cutoffs[0].rows, alarm)


def latest_known(workspace: Workspace, name: str) -> tuple[pd.DataFrame, Registered, Task, AsOf] | None:
    """Find the latest day of which scores are kept and all that they foretold has happened."""
    tables, recipe = workspace.tables, workspace.recipe(name)
    for folder in sorted((workspace.home.scores / name).glob("as_of=*"), reverse=True):
        day = AsOf.parse(folder.name.removeprefix("as_of="), tables.zone)
        if day >= tables.end or (kept := kept_scores(folder, recipe.task)) is None:
            continue
        try:
            registered = workspace.tracking.version(name, kept[1])
        except MissingError:
            continue
        task = replace(recipe.task, horizon=int(registered.params["horizon"]))
        if day.plus(days=task.needs) <= tables.end:
            return kept[0], registered, task, day
    return None


def judge_kept(workspace: Workspace, scores: pd.DataFrame, registered: Registered, task: Task, day: AsOf) -> Report:
    """Judge a day's scores as a back-test of one fold would."""
    keys = scores[list(task.keys)].reset_index(drop=True)
    known = carried(workspace, task, day, keys)
    labels = label(workspace.tables, Rows(task, day, keys, known, ()), workspace.project.margins)
    fold = Fold(tuple(AsOf.parse(part, day.zone) for part in registered.params["cutoffs"].split()), day)
    result = FoldResult(
        fold,
        pd.concat([keys, labels.y.reset_index(drop=True), known], axis=1),
        {task.name: Result(scores[list(task.scores)].reset_index(drop=True), 0.0, 0.0)},
        Examples(workspace, task).truth(day) if task.name in LISTED else None,
    )
    versions: Mapping[str, str] = {"version": registered.version, "tables_digest": workspace.tables.digest}
    return build_report(Backtest(task, (result,)), task.name, versions=versions)


def carried(workspace: Workspace, task: Task, day: AsOf, keys: pd.DataFrame) -> pd.DataFrame:
    """Return what tells repeat from explore, for these keys; no column where no snapshot of the day tells."""
    folder = standing_snapshot(workspace, day)
    if folder is None or task.name not in LISTED:
        return pd.DataFrame(index=keys.index)
    rows = read_rows(folder, task, wanted=frozenset(REPEATS.values()))
    table = pd.concat([rows.keys, rows.values], axis=1)
    return keys.merge(table, on=list(task.keys), how="left", validate="one_to_one")[list(rows.values)]
