import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from recsys.artifacts.bundle import ModelBundle, load_bundle, save_bundle
from recsys.core.errors import MissingError, PromotionError
from recsys.core.frames import TrainingSet
from recsys.core.task import Task
from recsys.evaluation.backtest import Backtest, Fold
from recsys.evaluation.peers import simplest
from recsys.evaluation.record import save_backtest
from recsys.evaluation.report import build_report
from recsys.models.contract import Recipe, Trainer
from training.evaluate import measured, run_backtest, write_report
from training.examples import Examples, build_all, folds, last_cutoffs, learnable, needed
from training.gate import RECORD, Gate, recorded
from training.identity import identity
from training.measure import peak_megabytes
from training.promote import promote, raise_first
from training.score import BUNDLE
from training.shelf import shelve
from training.tracking import Registered
from training.workspace import Workspace


def run_train(workspace: Workspace, name: str, promote_as: str | None) -> None:
    """Train and register one task, or all; with `promote_as`, that user promotes what its gate lets through.

    A task that has nothing to predict in these tables, or that they are too short for, is left out of all, and is
    refused by its name. A refusal of one task's gate keeps no other task from being trained.
    """
    build_all(workspace, needed(workspace))
    began = time.perf_counter()
    refused: list[PromotionError] = []
    for task in workspace.tasks(name):
        registered = train_task(workspace, task, by_name=name != "all")
        if promote_as and registered is not None and "challenger" in registered.aliases:
            try:
                promote(workspace, task, who=promote_as, why="trained and promoted in one command", force=False)
                workspace.screen.say(f"{task}: version {registered.version} is the champion")
            except PromotionError as error:
                refused.append(error)
    workspace.screen.say(f"trained in {time.perf_counter() - began:.1f} s, peak {peak_megabytes():.0f} MB")
    raise_first(workspace, refused)


def train_task(workspace: Workspace, task: str, *, by_name: bool = False) -> Registered | None:
    """Return the version of a task that stands for just these tables, settings and code; it is trained if need be.

    None when the tables have nothing to predict or are too short; `MissingError` then, or `ConfigError`, when the task
    was asked for by its name.
    """
    recipe, screen = workspace.recipe(task), workspace.screen
    if not by_name and task not in learnable(workspace):
        screen.say(f"{task}: the data are too short for labels of {recipe.task.needs} days; left out")
        return None
    if not predictable(workspace, recipe.task):
        if by_name:
            raise MissingError(f"rows of {task} in the tables", "recsys ingest")
        screen.say(f"{task}: the tables have nothing to predict; left out")
        return None
    began = time.perf_counter()
    trainer = workspace.trainer(recipe)
    made_of = identity(workspace, recipe.task, trainer.config)
    known = standing(workspace, task, made_of)
    registered = known or train(workspace, recipe, trainer, made_of)
    value = registered.metrics.get(recipe.task.metric, math.nan)
    found = f"{recipe.task.metric} {value:.4f}, horizon {recipe.task.horizon} days"
    took = "" if known else f", {time.perf_counter() - began:.1f} s"
    screen.say(f"{task}: version {registered.version}, {found}{took}")
    return registered


def predictable(workspace: Workspace, task: Task) -> bool:
    """Tell whether the tables have rows of a task to learn from, for its back-test and for its use."""
    examples = Examples(workspace, task)
    spans = [fold.trains for fold in folds(workspace, task, tests=1)]
    return all(examples.exist(cutoffs) for cutoffs in (*spans, last_cutoffs(workspace, task)))


def standing(workspace: Workspace, task: str, made_of: Mapping[str, str]) -> Registered | None:
    """Return the champion, or the challenger that was measured against it, if it was made of just this; else None."""
    tracking = workspace.tracking
    champion, challenger = tracking.alias(task, "champion"), tracking.alias(task, "challenger")
    if champion is not None and made_of.items() <= dict(champion.params).items():
        return champion
    if challenger is None or not made_of.items() <= dict(challenger.params).items():
        return None
    measured_against = Gate.read(tracking.folder(challenger)).champion
    return challenger if measured_against == (champion.version if champion else "") else None


def train(workspace: Workspace, recipe: Recipe, trainer: Trainer, made_of: Mapping[str, str]) -> Registered:
    """Back-test a trainer beside the simplest peers and the champion, fit it on the latest cutoffs and register it."""
    task = recipe.task
    examples = Examples(workspace, task)
    laid = folds(workspace, task, tests=1)
    test = run_backtest(workspace, examples, {task.name: trainer, **simplest(task)}, laid)
    cutoffs = last_cutoffs(workspace, task)
    taught_by = "; ".join(map(examples.taught_by, cutoffs))
    versions = {**measured(made_of), "taught_by": taught_by}
    report = build_report(test, task.name, versions=versions, taught=cutoffs)
    gate = compare(workspace, trainer, examples, test, laid)
    with workspace.screen.step(f"{task.name}: fit", 1) as advance:
        advance(f"{len(cutoffs)} cutoffs up to {cutoffs[-1]}")
        training = TrainingSet(tuple(examples.teaching(as_of) for as_of in cutoffs))
        model = trainer.fit(training)
    metrics = report.flat
    bundle = ModelBundle(
        task=task,
        model=model,
        config=trainer.config,
        specs=training.specs,
        tables_digest=workspace.tables.digest,
        cutoffs=cutoffs,
        metrics=metrics,
        code_version=made_of["code_version"],
    )
    params = {
        **made_of,
        "metric": report.metric,
        "cutoffs": " ".join(map(str, cutoffs)),
        "tests": " ".join(str(fold.test) for fold in laid),
        "features": str(len(training.specs)),
        "taught_by": taught_by,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_bundle(bundle, folder / BUNDLE)
        save_backtest(test, task.name, folder / RECORD)
        write_report(report, folder, "report")
        gate.write(folder)
        registered = workspace.tracking.log(task.name, folder, params, metrics, {"as_of": str(workspace.tables.end)})
    shelve(workspace, task.name)
    return registered


def compare(workspace: Workspace, trainer: Trainer, examples: Examples, test: Backtest, laid: tuple[Fold, ...]) -> Gate:
    """Hold a challenger's back-test against the champion: its own record, or its settings fitted on the same folds.

    Equal settings fitted on equal folds are equal, so those are not fitted twice.
    """
    task = examples.task
    champion = workspace.tracking.alias(task.name, "champion")
    if champion is None:
        return Gate.first(task.metric)
    theirs = recorded(workspace.tracking, champion, task, laid, workspace.tables.digest)
    if theirs is None:
        settings = load_bundle(workspace.tracking.folder(champion) / BUNDLE).config
        if settings == trainer.config:
            return Gate(
                task.metric,
                champion.version,
                passed=True,
                reason="the champion's own settings on other data",
                reason_zh="冠军的设置，换用其他数据训练",
            )
        recipe = workspace.recipe(task.name)
        theirs = run_backtest(workspace, examples, {"champion": workspace.trainer(recipe, settings)}, laid)
    return Gate.between(test, theirs, champion.version)
