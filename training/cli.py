"""The `recsys` command: reads the words, calls one function of this package, turns errors into exit codes."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from recsys.core.config import Home
from recsys.core.errors import (
    ArtifactError,
    BusyError,
    ConfigError,
    DriftError,
    MissingError,
    PromotionError,
    RecsysError,
    RequestError,
    TableError,
)
from training.audience_commands import audience
from training.key_commands import keys
from training.screen import Screen
from training.settings import CONFIG, Project
from training.user import user
from training.workspace import Workspace

RESULTS = Path("docs/results.md")

EXIT_CODES: dict[type[RecsysError], int] = {
    ConfigError: 2,
    RequestError: 2,
    TableError: 3,
    MissingError: 4,
    ArtifactError: 5,
    PromotionError: 6,
    DriftError: 7,
    BusyError: 8,
}

HELP = "Recommendations and predictions for a retailer's members: ingest, train, judge, promote, publish, serve."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)

ConfigFile = Annotated[Path, typer.Option("--config", help="The project's settings and table mapping.")]
Sample = Annotated[str, typer.Option("--sample", help="Use a sample instead of the mapping: complete-journey.")]
TaskName = Annotated[
    str, typer.Argument(help="repurchase, churn, value, new_product, recommend, recommend_subcategory, or all.")
]
Day = Annotated[str, typer.Option("--as-of", help="A mall day such as 2025-03-31; default: the day after the data.")]
Engine = Annotated[str, typer.Option("--engine", help="duckdb, in this process, or spark (pip extra `spark`).")]
Master = Annotated[str, typer.Option("--master", help="The Spark cluster, such as spark://host:7077.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the ledger.")]
Port = Annotated[int, typer.Option(help="Port on 127.0.0.1.")]

app.add_typer(keys, name="keys")
app.add_typer(audience, name="audience")


@app.command()
def ingest(config: ConfigFile = CONFIG, sample: Sample = "") -> None:
    """Read the retailer's tables, put bad rows in quarantine, and keep the good ones."""
    from training.ingest import run_ingest

    run_ingest(_workspace(config), config, sample)


@app.command()
def validate(config: ConfigFile = CONFIG, sample: Sample = "") -> None:
    """Check the retailer's tables as `ingest` would, and write nothing."""
    from training.ingest import run_validate

    run_validate(_workspace(config), config, sample)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="A new folder for the tables, recsys.toml and, in truth/, the truth.")],
    members: Annotated[int, typer.Option(help="Members of the shop.")] = 2000,
    days: Annotated[int, typer.Option(help="Days of orders.")] = 365,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    profile: Annotated[str, typer.Option(help="grocery, fashion or mother-and-baby.")] = "grocery",
    workers: Annotated[int, typer.Option(help="Processes; the files do not depend on it.", min=1)] = 1,
) -> None:
    """Write the tables of an invented shop, and what is true of it beside them."""
    from recsys.data.simulator.write import Simulation
    from training.simulate import run_simulate

    run_simulate(Screen(), Simulation(members, days, seed, profile), out, workers)


@app.command()
def features(as_of: Day = "", engine: Engine = "duckdb", master: Master = "") -> None:
    """Compute the feature snapshot of a day; without --as-of, of every day that training and serving need."""
    from training.examples import run_features
    from training.spark_engine import computing

    with computing(_workspace(), engine, master) as workspace:
        run_features(workspace, as_of)


@app.command()
def materialize(as_of: Day = "") -> None:
    """Fill the online store with a day's member features."""
    from training.publish import run_materialize

    run_materialize(_workspace(), as_of)


@app.command()
def train(
    task: TaskName = "all",
    *,
    promote: Annotated[bool, typer.Option("--promote", help="Promote each model that its gate lets through.")] = False,
) -> None:
    """Back-test, fit and register a challenger."""
    from training.fit import run_train

    run_train(_workspace(), task, user() if promote else None)


@app.command()
def evaluate(
    task: TaskName = "all",
    *,
    peers: Annotated[bool, typer.Option(help="Back-test the named peers beside the model.")] = True,
) -> None:
    """Back-test over several cutoffs and write a report."""
    from training.evaluate import run_evaluate

    run_evaluate(_workspace(), task, with_peers=peers)


@app.command()
def results(
    shop: Annotated[str, typer.Option("--shop", help="Measure this shop alone: sample, grocery or fashion.")] = "",
    page: Annotated[Path, typer.Option("--page", help="Where to write; explanations lie beside it.")] = RESULTS,
    *,
    measure: Annotated[bool, typer.Option(help="Back-test what has no report yet.")] = True,
) -> None:
    """Back-test every task on the sample and on simulated shops, each in a home of its own, and write a page."""
    from training.results import run_results

    run_results(Home.default().root / "results", Screen(), page, only=shop, again=measure)


@app.command()
def tune(
    task: Annotated[str, typer.Argument(help="The task whose model's settings are searched.")],
    trials: Annotated[int, typer.Option(help="Settings to try, the ones in force among them.", min=1)] = 30,
    minutes: Annotated[float, typer.Option(help="No trial begins after so long; 0 = no limit.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Of what is tried.", min=0)] = 0,
    *,
    write: Annotated[bool, typer.Option("--write", help="Add the best settings, if better, to the file.")] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Search better settings on earlier cutoffs than those that models are tested on."""
    from training.tune import Wish, run_tune

    run_tune(_workspace(config), task, Wish(trials, minutes, seed, config if write else None))


@app.command()
def promote(
    task: TaskName = "all",
    why: Why = "",
    *,
    force: Annotated[bool, typer.Option("--force", help="Promote against the gate; needs --why.")] = False,
) -> None:
    """Make the challenger the champion, when it is no worse."""
    from training.promote import run_promote

    run_promote(_workspace(), task, who=user(), why=why, force=force)


@app.command()
def rollback(task: Annotated[str, typer.Argument(help="The task to roll back.")], why: Why = "") -> None:
    """Bring the champion before this one back."""
    from training.promote import run_rollback

    run_rollback(_workspace(), task, who=user(), why=why)


@app.command()
def runs(task: TaskName = "all") -> None:
    """List model versions with their metrics, aliases and promotions."""
    from training.promote import run_runs

    run_runs(_workspace(), task)


@app.command()
def score(task: TaskName = "all", as_of: Day = "", engine: Engine = "duckdb", master: Master = "") -> None:
    """Score every row of a task with its champion."""
    from training.score import run_score
    from training.spark_engine import computing

    with computing(_workspace(), engine, master) as workspace:
        run_score(workspace, task, as_of)


@app.command()
def audience_for(
    category: Annotated[str, typer.Option(help="Its category; unknown ones are no error.")] = "",
    subcategory: Annotated[str, typer.Option(help="Its subcategory.")] = "",
    brand: Annotated[str, typer.Option(help="Its brand.")] = "",
    price: Annotated[float | None, typer.Option(min=0, help="Its list price.")] = None,
    package_size: Annotated[str, typer.Option(help="Its package size, as in the product table.")] = "",
    as_of: Day = "",
    top: Annotated[int, typer.Option(min=0, help="So many members, the likeliest first; 0 = all.")] = 0,
    to: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path("audience.csv"),
) -> None:
    """Score every active member for a product that does not exist yet, described by its attributes."""
    from recsys.features.described import Described
    from training.described import run_audience_for

    told = (category or None, subcategory or None, brand or None, price, package_size or None)
    run_audience_for(_workspace(), Described("described", *told), as_of, top, to)


@app.command()
def publish(as_of: Day = "") -> None:
    """Score with the champions and make a publication current; a running service swaps to it."""
    from training.publish import run_publish

    run_publish(_workspace(), as_of)


@app.command()
def tags(
    member: Annotated[str, typer.Argument(help="A member; without one, the catalogue of tags.")] = "",
    *,
    history: Annotated[bool, typer.Option("--history", help="How they changed over the publications.")] = False,
) -> None:
    """Show a member's tags and segments, how they changed, or which tags there are."""
    from training.tag_lists import run_tags

    run_tags(Home.default(), Screen(), member, history=history)


@app.command()
def segments(segment: Annotated[str, typer.Argument(help="One segmentation; without it, all.")] = "") -> None:
    """Show how many members each part has, who moved whence whither since the publication before, and alerts."""
    from training.segments import run_segments

    run_segments(Home.default(), Screen(), segment)


@app.command()
def drift(
    task: TaskName = "all",
    against: Annotated[str, typer.Option("--against", help="An earlier day; default: of the publication before.")] = "",
    config: ConfigFile = CONFIG,
) -> None:
    """Tell whether features, scores and realised metrics have moved; exits with 7 when a threshold is passed."""
    from training.drift import run_drift

    run_drift(_workspace(config), task, against)


@app.command()
def retrain(config: ConfigFile = CONFIG, sample: Sample = "") -> None:
    """Ingest new days, train, promote what its gate lets through, and publish: all that a scheduler has to call."""
    from training.retrain import run_retrain

    run_retrain(_workspace(config), config, sample, user())


@app.command()
def attribution(
    first: Annotated[str, typer.Option("--from", help="The first mall day; default: 28 days before --to.")] = "",
    end: Annotated[str, typer.Option("--to", help="The day after the last one; default: tomorrow.")] = "",
    window_days: Annotated[int, typer.Option(min=1, max=30, help="Days in which a purchase is owed.")] = 7,
) -> None:
    """Tell what recommendations brought: click-through, conversion and money by placement, variant and model."""
    from training.attribution import run_attribution

    run_attribution(_workspace(), first, end, window_days)


@app.command()
def events(out: Annotated[Path, typer.Option(help="The parquet file to write.")] = Path("events.parquet")) -> None:
    """Write the events that the service was told, in the form that `ingest` takes."""
    from training.events import run_events

    run_events(_workspace(), out)


@app.command()
def serve(
    port: Port = 3000,
    *,
    background: Annotated[bool, typer.Option("--background", help="Leave it running and return when ready.")] = False,
) -> None:
    """Run the service over the current publication."""
    from training.processes import environment, service_command, start

    workspace = _workspace()
    if background:
        start("serve", service_command(port), workspace.home, ready=f"http://127.0.0.1:{port}/readyz")
        workspace.screen.note(f"serving on http://127.0.0.1:{port}")
        return
    command = service_command(port)
    os.execve(command[0], command, environment(workspace.home))


@app.command()
def console(
    port: Annotated[int, typer.Option(help="Port to answer at.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to answer at.")] = "127.0.0.1",
    api: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:3000",
) -> None:
    """Run the console, the web pages that operations work with; `recsys console-user add NAME` lets somebody in."""
    from training.processes import console_command, environment

    command = console_command(port, host)
    os.execve(command[0], command, {**environment(Home.default()), "RECSYS_API_URL": api})


@app.command()
def console_user(
    action: Annotated[str, typer.Argument(help="add (or give another password and key), remove or list.")],
    name: Annotated[str, typer.Argument(help="The name to log in with.")] = "",
) -> None:
    """Say who may log in to the console; asks for the password, and for the person's key of the service."""
    from training.processes import environment

    command = [sys.executable, "-m", "console", action, *([name] if name else [])]
    os.execve(command[0], command, environment(Home.default()))


@app.command()
def mlflow(port: Port = 5000) -> None:
    """Show the training runs in MLflow's pages."""
    from training.processes import environment, mlflow_command

    workspace = _workspace()
    command = mlflow_command(workspace.tracking.uri, port)
    os.execve(command[0], command, environment(workspace.home))


@app.command()
def stop() -> None:
    """Stop what was left running in the background."""
    from training import processes

    workspace = _workspace()
    for name in processes.names(workspace.home):
        processes.stop(name, workspace.home)
        workspace.screen.note(f"stopped {name}")


def main() -> None:
    """Run the command; an error that recsys raised on purpose ends it with one line and a code of its own."""
    try:
        app()
    except RecsysError as error:
        sys.exit(report(error))


def report(error: RecsysError) -> int:
    """Tell people of an error in one line, each field with its name, and return the exit code of its kind."""
    fields = "; ".join(f"{name}: {value}" for name, value in error.fields.items())
    Screen().note(f"{type(error).__name__}: {fields}")
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)


def _workspace(config: Path = CONFIG) -> Workspace:
    return Workspace(Home.default(), Project.read(config), Screen())
