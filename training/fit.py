import tempfile
from collections.abc import Mapping
from pathlib import Path

from recsys.artifacts.bundle import ModelBundle, load_bundle, save_bundle
from recsys.core.frames import TrainingSet
from recsys.evaluation.backtest import Backtest, Fold
from recsys.evaluation.peers import simplest
from recsys.evaluation.record import save_backtest
from recsys.evaluation.report import build_report
from recsys.models.contract import Recipe, Trainer
from training.evaluate import run_backtest, write_report
from training.examples import Examples, build_all, folds, last_cutoffs, needed
from training.gate import RECORD, Gate, recorded
from training.identity import identity
from training.promote import promote
from training.tracking import Registered
from training.workspace import Workspace

BUNDLE = "bundle"


def run_train(workspace: Workspace, name: str, promote_as: str | None) -> None:
    """Train and register one task, or all; with `promote_as`, that user promotes what its gate lets through.

    A task whose tables, settings and code have not changed since a version was fitted is not fitted again.
    """
    build_all(workspace, needed(workspace))
    for task in workspace.tasks(name):
        recipe = workspace.recipe(task)
        trainer = workspace.trainer(recipe)
        made_of = identity(workspace, recipe.task, trainer.config)
        registered = known(workspace, task, made_of)
        if registered is None:
            registered = train(workspace, recipe, trainer, made_of)
        metric = Gate.read(registered.folder).metric
        found = f"{metric} {registered.metrics[metric]:.4f}, horizon {recipe.task.horizon} days"
        workspace.screen.say(f"{task}: version {registered.version}, {found}")
        if promote_as and "challenger" in registered.aliases:
            promote(workspace, task, who=promote_as, why="trained and promoted in one command", force=False)
            workspace.screen.say(f"{task}: version {registered.version} is the champion")


def known(workspace: Workspace, task: str, made_of: Mapping[str, str]) -> Registered | None:
    """Return the newest version that was made of just this, or None."""
    found = (item for item in workspace.tracking.versions(task) if made_of.items() <= dict(item.params).items())
    return next(found, None)


def train(workspace: Workspace, recipe: Recipe, trainer: Trainer, made_of: Mapping[str, str]) -> Registered:
    """Back-test a trainer beside the simplest peers and the champion, fit it on the latest cutoffs and register it."""
    task = recipe.task
    laid = folds(workspace, task, tests=1)
    examples = Examples(workspace, task, [fold.test for fold in laid])
    test = run_backtest(workspace, examples, {task.name: trainer, **simplest(task)}, laid)
    report = build_report(test, task.name, versions=made_of)
    gate = compare(workspace, recipe, examples, test, laid)
    cutoffs = last_cutoffs(workspace, task)
    with workspace.screen.step(f"{task.name}: fit", 1) as advance:
        advance(f"{len(cutoffs)} cutoffs up to {cutoffs[-1]}")
        training = TrainingSet(tuple(examples(as_of) for as_of in cutoffs))
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
        "cutoffs": " ".join(map(str, cutoffs)),
        "tests": " ".join(str(fold.test) for fold in laid),
        "features": str(len(training.specs)),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_bundle(bundle, folder / BUNDLE)
        save_backtest(test, task.name, folder / RECORD)
        write_report(report, folder, "report")
        gate.write(folder)
        return workspace.tracking.log(task.name, folder, params, metrics, {"as_of": str(workspace.tables.end)})


def compare(workspace: Workspace, recipe: Recipe, examples: Examples, test: Backtest, laid: tuple[Fold, ...]) -> Gate:
    """Hold a challenger's back-test against the champion: its own record, or its settings fitted on the same folds."""
    task = recipe.task
    champion = workspace.tracking.alias(task.name, "champion")
    if champion is None:
        return Gate.first(task.metric)
    theirs = recorded(champion, task, laid)
    if theirs is None:
        settings = load_bundle(champion.folder / BUNDLE).config
        theirs = run_backtest(workspace, examples, {"champion": workspace.trainer(recipe, settings)}, laid)
    return Gate.between(test, theirs, champion.version)
