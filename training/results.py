"""The record of how good the models are: every task on the sample and on simulated shops, beside every peer."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from recsys.core.config import Home, read_toml
from recsys.core.errors import ConfigError
from recsys.core.folders import current, text_digest, write_text
from recsys.data.simulator.write import Simulation, simulate
from recsys.evaluation.backtest import Fold
from training.evaluate import evaluate
from training.examples import build_all, folds
from training.identity import identity, simulator_version
from training.ingest import run_ingest
from training.measure import Taken, timed
from training.results_page import ShopResult, to_page
from training.screen import Screen
from training.settings import CONFIG, Project, TaskSettings
from training.workspace import Workspace

CHURN_DAYS = 28
"""Churn is judged at this horizon too, so that shops can be compared."""
TAKEN = "taken.json"
DATA = "data"


@dataclass(frozen=True)
class Shop:
    """Data to judge the models on: a sample, by its name, or a simulation."""

    name: str
    title: str
    source: str | Simulation


@dataclass(frozen=True)
class Case:
    """One report of a shop. horizon: in days, instead of the task's own."""

    name: str
    task: str
    horizon: int | None = None


SHOPS = (
    Shop("sample", "The Complete Journey sample: a grocer's 2,469 households", "complete-journey"),
    Shop("grocery", "A simulated grocer: dense, most purchases are repeats", Simulation(2500, 365, 1, "grocery")),
    Shop("fashion", "A simulated fashion shop: sparse, most members buy once", Simulation(8000, 540, 1, "fashion")),
)


def run_results(
    root: Path, screen: Screen, page: Path, shops: Sequence[Shop] = SHOPS, *, only: str = "", again: bool = True
) -> None:
    """Back-test every task on every shop, each in a home below root, and write the page from their reports.

    only: the one shop to measure anew. again: false = measure nothing, write the page from reports that are there.
    Reports of the same data, code and settings are not made twice. Explanations come from the TOML file beside the
    page. Raises `ConfigError` when there is no such shop or no report at all.
    """
    if only and only not in [shop.name for shop in shops]:
        raise ConfigError("shop", f"{only!r} is none of {', '.join(shop.name for shop in shops)}")
    for shop in shops:
        if again and only in ("", shop.name):
            screen.note(f"\n{shop.title}")
            measure(shop, root / shop.name, screen)
    found = [result for shop in shops if (result := read_result(shop, root / shop.name, screen)) is not None]
    if not found:
        raise ConfigError("results", f"{root} has no reports yet; measure first")
    notes = page.with_suffix(".toml")
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, to_page(found, read_toml(notes) if notes.exists() else {}))
    screen.say(f"written: {page}")


def measure(shop: Shop, folder: Path, screen: Screen) -> None:
    """Make a shop's data and home, and every report that is not there yet."""
    taken: list[Taken] = []
    if isinstance(shop.source, Simulation):
        shutil.rmtree(folder / DATA, ignore_errors=True)
        taken.append(timed("simulate", partial(_simulate, shop.source, folder / DATA, screen)))
    home = _fresh_home(shop, folder)
    workspace = _workspace(shop, folder, home, screen)
    if current(home.tables) is None:
        sample = shop.source if isinstance(shop.source, str) else ""
        config = folder / DATA / CONFIG if not sample else CONFIG
        taken.append(timed("ingest", partial(run_ingest, workspace, config, sample)))
        _note(home, taken)
    cases = cases_of(workspace)
    days = {day for case in cases for fold in _folds(workspace, case) for day in (*fold.trains, fold.test)}
    _note(home, [timed("features", partial(build_all, workspace, tuple(sorted(days))))])
    for case in cases:
        mine = at_horizon(workspace, case)
        if _is_known(mine, case):
            screen.note(f"{case.name}: there already")
            continue
        _note(home, [timed(case.name, partial(evaluate, mine, case.task, case.name, with_peers=True))], anew=True)


def read_result(shop: Shop, folder: Path, screen: Screen) -> ShopResult | None:
    """Read a shop's reports, in the order of its cases; None when there are none."""
    homes = _homes(folder)
    if not homes:
        return None
    workspace = _workspace(shop, folder, homes[0], screen)
    if current(workspace.home.tables) is None:
        return None
    names = [case.name for case in cases_of(workspace)]
    files = {name: workspace.home.reports / f"{name}.json" for name in names}
    reports = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.is_file()}
    if not reports:
        return None
    taken = tuple(_taken(workspace.home).values())
    return ShopResult(shop.name, shop.title, commands_of(shop), facts_of(workspace), taken, reports)


def cases_of(workspace: Workspace) -> tuple[Case, ...]:
    """List the reports that a shop's data are long enough for: a task each, and churn at the common horizon where its
    own is another.
    """
    cases = []
    for name in workspace.tasks("all"):
        cases.append(Case(name, name))
        if name == "churn" and workspace.recipe(name).task.horizon != CHURN_DAYS:
            cases.append(Case(f"churn_{CHURN_DAYS}", name, CHURN_DAYS))
    return tuple(case for case in cases if _is_long_enough(workspace, case))


def at_horizon(workspace: Workspace, case: Case) -> Workspace:
    """Return the workspace with the case's horizon set."""
    if case.horizon is None:
        return workspace
    project = workspace.project
    changed = project.task(case.task).model_copy(update={"horizon": case.horizon})
    tasks: Mapping[str, TaskSettings] = {**project.tasks, case.task: changed}
    return replace(workspace, project=project.model_copy(update={"tasks": tasks}))


def commands_of(shop: Shop) -> tuple[str, ...]:
    """Write the commands that do the same by hand, in a folder of one's own."""
    if isinstance(shop.source, str):
        return (f"recsys ingest --sample {shop.source}", "recsys evaluate all")
    made = shop.source
    sizes = f"--profile {made.profile} --members {made.members} --days {made.days} --seed {made.seed}"
    return (f"recsys simulate {sizes} --out shop", "cd shop && recsys ingest && recsys evaluate all")


def facts_of(workspace: Workspace) -> dict[str, str]:
    """Count what a shop's tables hold."""
    with workspace.tables.connect() as connection:
        lines, orders, buyers, products = connection.execute(
            "SELECT count(*), count(DISTINCT order_id), count(DISTINCT member_id), count(DISTINCT product_id) "
            "FROM orders WHERE NOT is_return"
        ).fetchall()[0]
    tables = workspace.tables
    return {
        "days": f"{tables.first} to {tables.end.plus(days=-1)}",
        "members who bought": f"{buyers:,}",
        "orders": f"{orders:,}",
        "order lines": f"{lines:,}",
        "products bought": f"{products:,}",
        "digest of the tables": tables.digest[:12],
    }


def _simulate(simulation: Simulation, data: Path, screen: Screen) -> None:
    with screen.step("simulate") as advance:
        simulate(simulation, data, lambda done, total: advance(f"{done} of {total}"))


def _homes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("home-*") if path.is_dir())


def _fresh_home(shop: Shop, folder: Path) -> Home:
    """Return the home of a shop's data, named by what decides them; homes of other data go."""
    made_of = (str(shop.source), simulator_version() if isinstance(shop.source, Simulation) else "")
    home = folder / f"home-{text_digest(*made_of)[:12]}"
    for other in _homes(folder):
        if other != home:
            shutil.rmtree(other)
    home.mkdir(parents=True, exist_ok=True)
    return Home(home)


def _workspace(shop: Shop, folder: Path, home: Home | Path, screen: Screen) -> Workspace:
    own = folder / DATA / CONFIG
    project = Project.read(own) if isinstance(shop.source, Simulation) else Project()
    return Workspace(home if isinstance(home, Home) else Home(home), project, screen)


def _folds(workspace: Workspace, case: Case) -> tuple[Fold, ...]:
    mine = at_horizon(workspace, case)
    return folds(mine, mine.recipe(case.task).task, mine.project.training.tests)


def _is_long_enough(workspace: Workspace, case: Case) -> bool:
    try:
        _folds(workspace, case)
    except ConfigError:
        return False
    return True


def _is_known(workspace: Workspace, case: Case) -> bool:
    """Tell whether the report of the same data, code and settings is there."""
    file = workspace.home.reports / f"{case.name}.json"
    if not file.is_file():
        return False
    recipe = workspace.recipe(case.task)
    wanted = identity(workspace, recipe.task, workspace.trainer(recipe).config)
    known = json.loads(file.read_text(encoding="utf-8"))["versions"]
    return all(known.get(name) == value for name, value in wanted.items())


def _taken(home: Home) -> dict[str, Taken]:
    file = home.reports / TAKEN
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {title: Taken(title, *values) for title, values in kept.items()}


def _note(home: Home, taken: Sequence[Taken], *, anew: bool = False) -> None:
    """Keep what steps took; one that found its work done, and not anew, keeps the figures of when it was not."""
    known = _taken(home)
    for step in taken:
        if anew or step.title not in known or step.seconds > known[step.title].seconds:
            known[step.title] = step
    home.reports.mkdir(parents=True, exist_ok=True)
    plain = {title: (round(step.seconds, 1), round(step.megabytes)) for title, step in known.items()}
    write_text(home.reports / TAKEN, json.dumps(plain, indent=1))
