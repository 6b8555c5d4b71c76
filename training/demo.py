"""The demo: every step of the way on the sample, with its time and peak memory, and one answer at the end."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import MissingError
from recsys.core.folders import current
from training.processes import answers, environment, tool
from training.screen import Screen


@dataclass(frozen=True)
class Step:
    """One command of the way."""

    title: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """What a step took: wall seconds, and the peak resident memory of its process in MB."""

    title: str
    seconds: float
    megabytes: float


STEPS = (
    Step("ingest the sample", ("ingest", "--sample", "complete-journey")),
    Step("compute features", ("features",)),
    Step("train, back-test, register, promote", ("train", "all", "--promote")),
    Step("score and publish", ("publish",)),
    Step("fill the online store", ("materialize",)),
)


def run(home: Home, screen: Screen, port: int) -> None:
    """Walk the whole way, leave the service running and print an answer of it."""
    taken = []
    steps = (*STEPS, Step("start the service", ("serve", "--background", "--port", str(port))))
    for number, step in enumerate(steps, start=1):
        screen.note(f"[{number}/{len(steps)}] {step.title}")
        if step.arguments[0] == "serve" and answers(f"http://127.0.0.1:{port}/readyz"):
            screen.note(f"already serving on port {port}")
            continue
        taken.append(timed(step, home))
    table = Table("step", "seconds", "peak MB", title="What it took", title_justify="left")
    for row in taken:
        table.add_row(row.title, f"{row.seconds:.1f}", f"{row.megabytes:.0f}")
    table.add_row("all", f"{sum(row.seconds for row in taken):.1f}", f"{max(row.megabytes for row in taken):.0f}")
    screen.show(table)
    question = {"placement": "home", "member_id": some_member(home), "k": 3}
    address = f"http://127.0.0.1:{port}"
    screen.say(f"\nPOST {address}/recommend {json.dumps(question, ensure_ascii=False)}")
    screen.say(json.dumps(ask(f"{address}/recommend", question), ensure_ascii=False, indent=2))
    screen.say(f"\nThe service:     {address}   (its API page, to try every call: open it in a browser)")
    screen.say("Training runs:   .venv/bin/recsys mlflow   then open http://127.0.0.1:5000")
    screen.say("Stop it all:     make stop")


def timed(step: Step, home: Home) -> Taken:
    """Run one step in a process of its own; its failure ends the demo with the same exit code."""
    began = time.perf_counter()
    process = subprocess.Popen([tool("recsys"), *step.arguments], env=environment(home))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(process.returncode)
    return Taken(step.title, time.perf_counter() - began, usage.ru_maxrss / 1024)


def some_member(home: Home) -> str:
    """Return the first member of the current publication."""
    folder = current(home.publications)
    if folder is None:
        raise MissingError("a publication", "recsys publish")
    return Publication.open(folder).members.text(0)


def ask(url: str, question: dict[str, Any]) -> Any:
    """POST a question as JSON and return the answer."""
    body = json.dumps(question).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    run(Home.default(), Screen(), int(os.environ.get("RECSYS_PORT", "3000")))
