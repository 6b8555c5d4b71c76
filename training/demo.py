"""The demo: every step of the way on the sample, with its time and peak memory, and one answer at the end.

All steps run in one process, as each of the libraries that they need takes seconds to import.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import MissingError, RecsysError
from training.cli import report
from training.examples import run_features
from training.fit import run_train
from training.ingest import run_ingest
from training.measure import timed
from training.processes import answers, console_command, environment, service_command, start
from training.publish import run_materialize, run_publish
from training.screen import Screen
from training.settings import CONFIG, Project
from training.workspace import Workspace

SWAPPED_WITHIN = 30.0
PERSON = "demo"
PORTS = (("RECSYS_PORT", "3000"), ("RECSYS_CONSOLE_PORT", "8080"))


@dataclass(frozen=True)
class Step:
    """One step of the way."""

    title: str
    run: Callable[[Workspace], None]


STEPS = (
    Step("ingest the sample", lambda workspace: run_ingest(workspace, CONFIG, "complete-journey")),
    Step("compute features", lambda workspace: run_features(workspace, "")),
    Step("train, back-test, register, promote", lambda workspace: run_train(workspace, "all", "demo")),
    Step("score and publish", lambda workspace: run_publish(workspace, "")),
    Step("fill the online store", lambda workspace: run_materialize(workspace, "")),
)


def run(home: Home, screen: Screen, port: int, console_port: int) -> None:
    """Walk the whole way, leave the service and the console running and print an answer."""
    address, console_address = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{console_port}"
    steps = (
        *STEPS,
        Step("start the service", lambda workspace: serve(workspace, port)),
        Step("start the console", lambda workspace: serve_console(workspace, address, console_port)),
    )
    taken = []
    for number, step in enumerate(steps, start=1):
        screen.note(f"\n[{number}/{len(steps)}] {step.title}")
        taken.append(timed(step.title, partial(step.run, Workspace(home, Project(), screen))))
    table = Table("step", "seconds", "peak MB", title="What it took", title_justify="left")
    for row in taken:
        table.add_row(row.title, f"{row.seconds:.1f}", f"{row.megabytes:.0f}")
    table.add_row("all", f"{sum(row.seconds for row in taken):.1f}", f"{max(row.megabytes for row in taken):.0f}")
    screen.show(table)
    member = Publication.open_current(home.publications).members.text(0)
    question = {"placement": "home", "member_id": member, "k": 3}
    screen.say(f"\nPOST {address}/recommend {json.dumps(question, ensure_ascii=False)}")
    screen.say(json.dumps(ask(f"{address}/recommend", question), ensure_ascii=False, indent=2))
    screen.say(f"\nThe service:     {address}   (open it in a browser: the page of the API, with calls to try)")
    screen.say(f"The console:     {console_address}   log in as {PERSON} with the password {password(home)}")
    screen.say("Training runs:   .venv/bin/recsys mlflow   then open http://127.0.0.1:5000")
    screen.say("Stop it all:     make stop")


def serve(workspace: Workspace, port: int) -> None:
    """Start the service in the background, unless it runs already, and wait until it serves what was just published."""
    ready = f"http://127.0.0.1:{port}/readyz"
    start("serve", service_command(port), workspace.home, ready=ready)
    wanted = Publication.open_current(workspace.home.publications).name
    deadline = time.monotonic() + SWAPPED_WITHIN
    while (answers(ready) or {}).get("publication") != wanted:
        if time.monotonic() > deadline:
            raise MissingError(f"a service of {wanted} on port {port}", "make stop")
        time.sleep(0.1)


def serve_console(workspace: Workspace, api: str, port: int) -> None:
    """Start the console in the background, unless it runs already; one person may log in, without a key of its own."""
    home = workspace.home
    os.environ["RECSYS_API_URL"] = api
    if not (home.root / "console" / "people.json").is_file():
        command = [sys.executable, "-m", "console", "add", PERSON]
        told = f"{password(home)}\n\n"
        subprocess.run(command, input=told, text=True, check=True, env=environment(home))
    start("console", console_command(port), home, ready=f"http://127.0.0.1:{port}/livez")


def password(home: Home) -> str:
    """Return the password of the demo's person; made on first use, and read by the owner alone."""
    path = home.root / "console" / "demo-password"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9), encoding="ascii")
    return path.read_text(encoding="ascii")


def ask(url: str, question: dict[str, Any]) -> Any:
    """POST a question as JSON and return the answer."""
    body = json.dumps(question).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    try:
        ports = (int(os.environ.get(name, usual)) for name, usual in PORTS)
        run(Home.default(), Screen(), *ports)
    except RecsysError as error:
        sys.exit(report(error))
