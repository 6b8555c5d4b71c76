from datetime import UTC, datetime

from rich.table import Table

from recsys.core.errors import ConfigError, MissingError, PromotionError
from recsys.store.database import database
from recsys.store.promotions import Promotion, champions, history, previous_champion, record
from training.gate import Gate
from training.shelf import shelve
from training.tracking import Registered
from training.workspace import Workspace

FOUND = "found as the champion in the registry"


def run_promote(workspace: Workspace, name: str, *, who: str, why: str, force: bool) -> None:
    """Promote the challenger of a task, or of all tasks that have one."""
    if force and not why:
        raise ConfigError("why", "a promotion against the gate needs its reason: --why")
    found = [task for task in workspace.tasks(name) if workspace.tracking.alias(task, "challenger")]
    if not found and name != "all":
        raise MissingError(f"a challenger for {name}", "recsys train")
    if not found:
        workspace.screen.say("no challenger waits to be promoted")
    refused = []
    for task in found:
        try:
            promoted = promote(workspace, task, who=who, why=why, force=force)
            workspace.screen.say(f"{task}: version {promoted.version} is the champion")
        except PromotionError as error:
            refused.append(error)
    raise_first(workspace, refused)


def raise_first(workspace: Workspace, refused: list[PromotionError]) -> None:
    """Raise the first refusal, after naming the others."""
    for error in refused[1:]:
        workspace.screen.say(f"{error.fields['task']}: {error.fields['reason']}")
    if refused:
        raise refused[0]


def promote(workspace: Workspace, task: str, *, who: str, why: str, force: bool) -> Registered:
    """Make the challenger of a task its champion and write it to the ledger.

    `PromotionError` when the gate refuses it and `force` is not set; `MissingError` when there is no challenger.
    """
    tracking = workspace.tracking
    challenger = tracking.alias(task, "challenger")
    if challenger is None:
        raise MissingError(f"a challenger for {task}", "recsys train")
    champion = tracking.alias(task, "champion")
    mend_ledger(workspace, task, who=who)
    if champion is not None and champion.version == challenger.version:  # a promotion that was cut short
        tracking.set_champion(task, challenger.version)
        shelve(workspace, task)
        return tracking.version(task, challenger.version)
    forced = False
    try:
        Gate.read(tracking.folder(challenger)).check(task, challenger.version, champion.version if champion else "")
    except PromotionError:
        if not force:
            raise
        forced = True
    line = Promotion(task, "promote", challenger.version, forced, who, why, datetime.now(UTC))
    with database(workspace.home.database) as engine:
        record(engine, line, lambda: tracking.set_champion(task, challenger.version))
    shelve(workspace, task)
    return tracking.version(task, challenger.version)


def mend_ledger(workspace: Workspace, task: str, *, who: str) -> None:
    """Add the line of a champion that the ledger does not know: its promotion ended before the line was kept."""
    champion = workspace.tracking.alias(task, "champion")
    with database(workspace.home.database) as engine:
        known = champions(history(engine, task))
        if champion is None or known[-1:] == (champion.version,):
            return
        line = Promotion(task, "promote", champion.version, forced=False, who=who, why=FOUND, at=datetime.now(UTC))
        record(engine, line, lambda: None)


def run_rollback(workspace: Workspace, name: str, *, who: str, why: str) -> None:
    """Bring back the champion that stood before the present one."""
    (task,) = workspace.tasks(name) if name != "all" else ("",)
    if not task:
        raise ConfigError("task", "a rollback is of one task")
    mend_ledger(workspace, task, who=who)
    with database(workspace.home.database) as engine:
        version = previous_champion(engine, task)
        workspace.tracking.version(task, version)
        line = Promotion(task, "rollback", version, forced=False, who=who, why=why, at=datetime.now(UTC))
        record(engine, line, lambda: workspace.tracking.set_champion(task, version))
    shelve(workspace, task)
    workspace.screen.say(f"{task}: version {version} is the champion again; `recsys publish` puts it to use")


def run_runs(workspace: Workspace, name: str) -> None:
    """Print each task's versions, newest first, what waits to be promoted, and its ledger."""
    with database(workspace.home.database) as engine:
        for task in workspace.tasks(name):
            shelve(workspace, task)
            versions = workspace.tracking.versions(task)
            if not versions:
                workspace.screen.say(f"{task}: no versions yet")
                continue
            table = Table("version", "alias", "made", "deciding metric", title=task, title_justify="left")
            for version in versions:
                made = datetime.fromtimestamp(version.created_ms / 1000, UTC).isoformat(" ", "minutes")
                metric = version.params.get("metric", "")
                value = version.metrics.get(metric, float("nan"))
                table.add_row(version.version, " ".join(version.aliases), made, f"{metric} {value:.4f}")
            workspace.screen.show(table)
            for version in versions:
                if "challenger" in version.aliases:
                    gate = Gate.read(workspace.tracking.folder(version))
                    verdict = "its gate lets it through" if gate.passed else "its gate refuses it"
                    workspace.screen.say(f"version {version.version} waits; {verdict}: {gate.reason}")
            for line in history(engine, task):
                forced = ", against the gate" if line.forced else ""
                when = line.at.isoformat(" ", "minutes")
                workspace.screen.say(f"{when} {line.action} {line.version} by {line.who}{forced}: {line.why or '-'}")
