import json
import math
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.core.config import Settings, read_toml
from recsys.core.errors import ConfigError, MissingError
from recsys.core.folders import write_text
from recsys.evaluation.bootstrap import verdict_of
from recsys.evaluation.metrics import metric_of
from recsys.models.spaces import flat, space_of, values_of
from training.examples import build_all
from training.identity import identity
from training.search import Ground, Search, ground, search
from training.workspace import Workspace


@dataclass(frozen=True)
class Wish:
    """What the user asks of a search.

    minutes: after which no trial begins; 0 = no limit. write: the settings file to add the best settings to, or None.
    """

    trials: int
    minutes: float
    seed: int
    write: Path | None


def run_tune(workspace: Workspace, name: str, wish: Wish) -> None:
    """Search better settings for one task's model, keep every trial in MLflow and print the best as a block.

    They are written to a file only when they are a difference.
    """
    if name == "all":
        raise ConfigError("task", "a search is of one task")
    (name,) = workspace.tasks(name)
    recipe = workspace.recipe(name)
    start = workspace.trainer(recipe).config
    on = ground(workspace, recipe.task)
    days = sorted({day for fold in on.folds for day in (*fold.trains, fold.test)})
    build_all(workspace, tuple(days))
    if not on.examples.exist(tuple(days)):
        raise MissingError(f"rows of {name} before {on.limit}", "recsys ingest")
    params = {
        **identity(workspace, recipe.task, start),
        "metric": recipe.task.metric,
        "tests": " ".join(str(fold.test) for fold in on.folds),
        "labels_end": str(on.limit),
        "seed": str(wish.seed),
    }
    tracking = workspace.tracking
    tags = {"kind": "search"}
    with tracking.run(name, f"{name} search", params, tags) as study:
        began = time.monotonic()

        def log(number: int, settings: Settings, metrics: Mapping[str, float]) -> None:
            values = values_of(settings, space_of(settings))
            plain = {key: str(value) for key, value in values.items()}
            with tracking.run(name, f"trial {number}", plain, {"kind": "trial"}, parent=study.run_id) as trial:
                trial.measure(metrics)
            known = metrics.get(recipe.task.metric)
            told = "stopped early" if known is None else f"{recipe.task.metric} {known:.4f}"
            workspace.screen.note(f"trial {number}: {told}")
            advance(f"trial {number + 1} of {wish.trials}")

        until = began + wish.minutes * 60 if wish.minutes else math.inf
        with workspace.screen.step(f"{name}: search", wish.trials) as advance:
            advance("the settings in force")
            found = search(recipe, start, on, log, trials=wish.trials, until=until, seed=wish.seed)
        study.measure(
            {
                "trials": found.trials,
                "stopped": found.stopped,
                "start": found.start.value,
                "best": found.best.value,
                "difference": found.difference.value,
                "difference_low": found.difference.low,
                "difference_high": found.difference.high,
                "seconds": time.monotonic() - began,
            }
        )
    changes = differing(found.best.settings, recipe.config())
    better = tell(workspace, on, found, changes)
    if wish.write is not None and better:
        add_block(wish.write, name, changes)
        workspace.screen.say(f"added to {wish.write}")
    elif wish.write is not None:
        workspace.screen.say(f"{wish.write} stays as it is")


def tell(workspace: Workspace, on: Ground, found: Search, changes: Mapping[str, Any]) -> bool:
    """Print what a search found and the block of settings; returns whether they beat the ones in force."""
    task, screen = on.task, workspace.screen
    tests = ", ".join(str(fold.test) for fold in on.folds)
    screen.say(f"{task.name}: {found.trials} trials ({found.stopped} stopped early), tested on {tests};")
    screen.say(f"labels end by {on.limit}, the first cutoff that `recsys evaluate` tests on")
    gap = found.difference
    better = verdict_of(gap, metric_of(task.name, task.metric).better) == "beats"
    if found.best.number == 0:
        screen.say(f"{task.metric} {found.start.value:.4f}: nothing better than the settings in force was found")
    else:
        lean = "chosen on these very cutoffs, so it leans optimistic: `recsys evaluate` is the judge"
        screen.say(
            f"{task.metric} {found.start.value:.4f} -> {found.best.value:.4f} (trial {found.best.number}), "
            f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]: "
            + (lean if better else "no difference: keep the settings in force")
        )
    screen.say(f"\n{block(task.name, changes)}" if changes else "these are the shipped settings")
    return better


def differing(settings: Settings, shipped: Settings) -> dict[str, Any]:
    """Return, nested as in the file, the settings that are not as shipped."""
    usual = flat(shipped)
    found: dict[str, Any] = {}
    for name, value in flat(settings).items():
        if name in usual and usual[name] == value:
            continue
        *parents, last = name.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return found


def block(task: str, changes: Mapping[str, Any]) -> str:
    """Write settings of a task's model as a section of `recsys.toml`."""
    lines = [f"{name} = {_toml(value)}" for name, value in changes.items()]
    return "\n".join((f"[tasks.{task}.model]", *lines, ""))


def add_block(path: Path, task: str, changes: Mapping[str, Any]) -> None:
    """Add the section to the end of a settings file, all else in it left as it is.

    `ConfigError` when the file already has the section, or cannot take it there; then it stays as it was.
    """
    before = read_toml(path) if path.exists() else {}
    tasks = before.get("tasks", {})
    if "model" in tasks.get(task, {}):
        raise ConfigError(f"tasks.{task}.model", f"stands in {path} already; put the block above in its place")
    expected = {**before, "tasks": {**tasks, task: {**tasks.get(task, {}), "model": _plain(changes)}}}
    old = path.read_bytes().decode("utf-8") if path.exists() else ""
    text = f"{old.rstrip()}\n\n{block(task, changes)}".lstrip("\n")
    try:
        fits = tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        fits = False
    if not fits:
        raise ConfigError(f"tasks.{task}.model", f"cannot be added to the end of {path}; paste the block above")
    write_text(path.resolve(), text)


def _plain(value: Any) -> Any:
    """Turn settings into what a TOML file gives back."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _toml(value: Any) -> str:
    """Write a value on one line; JSON writes texts, numbers and true or false as TOML does."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
