from collections.abc import Mapping
from pathlib import Path

from recsys.core.task import Task
from recsys.evaluation.backtest import Backtest, Fold, Progress, backtest
from recsys.evaluation.metrics import LISTED
from recsys.evaluation.page import to_html, to_markdown
from recsys.evaluation.peers import peers_of
from recsys.evaluation.report import Report, build_report, to_json
from recsys.evaluation.slices import carried
from recsys.models.contract import Trainer
from training.examples import Examples, build_all, folds, learnable
from training.identity import identity
from training.measure import peak_megabytes
from training.workspace import Workspace


def run_evaluate(workspace: Workspace, name: str, *, with_peers: bool) -> None:
    """Back-test one task, or all, over the project's test cutoffs; write and print the reports."""
    for task_name in learnable(workspace) if name == "all" else workspace.tasks(name):
        evaluate(workspace, task_name, task_name, with_peers=with_peers)


def evaluate(workspace: Workspace, task_name: str, report_name: str, *, with_peers: bool) -> None:
    """Back-test one task over the project's test cutoffs; write and print its report under a name."""
    recipe = workspace.recipe(task_name)
    task = recipe.task
    laid = folds(workspace, task, workspace.project.training.tests)
    build_all(workspace, tuple(sorted({day for fold in laid for day in (*fold.trains, fold.test)})))
    trainer = workspace.trainer(recipe)
    rivals = peers_of(task) if with_peers else {}
    test = run_backtest(workspace, Examples(workspace, task), {task.name: trainer, **rivals}, laid)
    report = build_report(test, task.name, versions=measured(identity(workspace, task, trainer.config)))
    workspace.home.reports.mkdir(parents=True, exist_ok=True)
    write_report(report, workspace.home.reports, report_name)
    workspace.screen.say(f"\n{task.name}, horizon {task.horizon} days, tested on {cutoffs_of(report)}")
    workspace.screen.say(to_markdown(report))
    workspace.screen.say(f"report: {workspace.home.reports / report_name}.html")


def run_backtest(
    workspace: Workspace, examples: Examples, trainers: Mapping[str, Trainer], laid: tuple[Fold, ...]
) -> Backtest:
    """Back-test trainers over folds with a progress bar."""
    task: Task = examples.task
    with workspace.screen.step(f"{task.name}: back-test", len(laid) * len(trainers) * 2) as advance:
        return tested(examples, trainers, laid, lambda _done, _total, what: advance(what), explained=task.name)


def tested(
    examples: Examples,
    trainers: Mapping[str, Trainer],
    laid: tuple[Fold, ...],
    progress: Progress,
    *,
    explained: str,
) -> Backtest:
    """Back-test trainers over folds of one task's examples.

    explained: the trainer of which the report shall tell more: its model is explained, and the rows keep what parts
        them; "" = none.
    """
    return backtest(
        trainers,
        laid,
        examples.test,
        progress,
        teaching=examples.teaching,
        truth=examples.truth if examples.task.name in LISTED else None,
        carry=carried(examples.task) if explained else (),
        explained=explained,
    )


def measured(made_of: Mapping[str, str]) -> dict[str, str]:
    """Add what the process took to what was measured."""
    return {**made_of, "peak_memory": f"{peak_megabytes():.0f} MB"}


def write_report(report: Report, folder: Path, name: str) -> None:
    """Write a report as `<name>.html` for people and `<name>.json` for machines."""
    (folder / f"{name}.html").write_text(to_html(report), encoding="utf-8")
    (folder / f"{name}.json").write_text(to_json(report), encoding="utf-8")


def cutoffs_of(report: Report) -> str:
    """List the test cutoffs for people."""
    return ", ".join(cutoff.test for cutoff in report.cutoffs)
