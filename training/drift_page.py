import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from recsys.core.folders import write_text
from recsys.evaluation.bootstrap import Interval
from training.screen import Screen
from training.settings import DriftSettings

if TYPE_CHECKING:
    from training.drift import Moved, TaskDrift

SHOWN = 5
HEAD = ("task", "what", "psi", "by chance", "importance", "unknown then", "now", "")
REALISED = ("task", "version", "day", "metric", "realised", "back-test", "")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}.alarm{color:#b00020;font-weight:600}
"""


def write_pages(found: "Sequence[TaskDrift]", folder: Path, settings: DriftSettings, screen: Screen) -> Path:
    """Print what was found in short, write all of it as `drift.html` and `drift.json`, and return the page."""
    for head, rows in ((HEAD, [row for task in found for row in _lines(task, SHOWN)]), (REALISED, _realised(found))):
        if rows:
            table = Table(*head)
            for row in rows:
                table.add_row(*row)
            screen.show(table)
    for task in found:
        screen.say(_compared(task))
    about = {"thresholds": settings.model_dump(), "tasks": [asdict(task) for task in found]}
    text = json.dumps(_plain(about), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / "drift.json", text)
    write_text(folder / "drift.html", _page(found, settings))
    return folder / "drift.html"


def _page(found: "Sequence[TaskDrift]", settings: DriftSettings) -> str:
    about = (
        f"An alarm is raised by an index above {settings.psi:g} that chance does not explain, of a score or of a "
        f"feature with at least {settings.importance:.1%} of its model's contributions, and by a realised metric more "
        f"than {settings.loss:.0%} below its back-test beyond chance."
    )
    parts = [f"<p>{about}</p>", _html(REALISED, _realised(found))]
    for task in found:
        parts += [f"<h2>{escape(task.task)}</h2>", f"<p>{escape(_compared(task))}</p>"]
        parts.append(_html(HEAD, _lines(task, len(task.moved))))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Drift</title><style>{STYLE}</style>'
        "</head><body>\n<h1>Drift</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _compared(task: "TaskDrift") -> str:
    rows = f"{task.rows[0]:,} and {task.rows[1]:,} rows"
    return f"{task.task}: {task.then} (version {task.versions[0]}) and {task.now} ({task.versions[1]}), {rows}"


def _lines(task: "TaskDrift", features: int) -> list[tuple[str, ...]]:
    """Write a line for each score, and for the features that moved most or raise an alarm."""
    scores = [item for item in task.moved if item.kind == "score"]
    rest = [item for item in task.moved if item.kind == "feature"]
    shown = [item for place, item in enumerate(rest) if place < features or item.alarm]
    return [_line(task.task, item) for item in (*scores, *shown)]


def _line(task: str, item: "Moved") -> tuple[str, ...]:
    shift = item.shift
    leant = "" if math.isnan(item.importance) else f"{item.importance:.1%}"
    name = f"score: {shift.name}" if item.kind == "score" else shift.name
    nulls = f"{shift.then_null:.1%}", f"{shift.now_null:.1%}"
    return task, name, f"{shift.psi:.3f}", f"{shift.noise:.3f}", leant, *nulls, "ALARM" if item.alarm else ""


def _realised(found: "Sequence[TaskDrift]") -> list[tuple[str, ...]]:
    return [
        (
            task.task,
            real.version,
            real.day,
            real.metric,
            _interval(real.value),
            _interval(real.promised),
            "ALARM" if real.alarm else "",
        )
        for task in found
        if (real := task.realised) is not None
    ]


def _html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for row in rows:
        mark = ' class="alarm"' if row[-1] else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>" if len(lines) > 1 else ""


def _interval(value: Interval) -> str:
    return f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"


def _plain(value: object) -> object:
    """Turn what JSON cannot hold into what it can."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else None
    return value
