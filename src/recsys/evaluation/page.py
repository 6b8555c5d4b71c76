"""A report for people: one HTML file without any other file, or a table for the terminal."""

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape

from matplotlib.figure import Figure

from recsys.evaluation.bootstrap import Interval
from recsys.evaluation.calibration import gain_figure, png, reliability_figure
from recsys.evaluation.report import Report

_INTERVALS = "Intervals are 95%, over members; differences are paired on the same members."
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;display:block;overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
tr.model{font-weight:600;background:#f2f7ff}
.beats{color:#0a6b2d}.worse{color:#b00020}small,td small{color:#666}
figure{display:inline-block;margin:0 1rem 1rem 0}img{max-width:100%}
"""


def to_markdown(report: Report, *, metrics: Sequence[str] = ()) -> str:
    """Write the pooled table: a row a scorer, its difference to the model in the deciding metric, and the verdict.

    metrics: columns; by default the deciding metric and those before it in the task's table, four at the least.
    """
    columns = list(metrics) or _headline(report)
    head = ["scorer", *columns, f"{report.model} minus it ({report.metric})", "verdict"]
    lines = [head, ["---", *["---:"] * len(columns), "---:", "---"]]
    for scorer in report.scorers:
        found = [c for c in report.comparisons if c.peer == scorer.name and c.metric == report.metric]
        tail = [_interval(found[0].difference), found[0].verdict] if found else ["", ""]
        lines.append([scorer.name, *[_number(scorer.pooled[name].value) for name in columns], *tail])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def to_html(report: Report) -> str:
    """Write the whole report as one HTML page with its pictures inside."""
    title = f"{report.task}: {report.model} beside its peers"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Horizon {report.horizon} days. Deciding metric: <b>{escape(report.metric)}</b>. {_INTERVALS}</p>",
        *[f"<p><b>Note:</b> {escape(note)}.</p>" for note in report.notes],
        _pictures(report),
        "<h2>Pooled</h2>",
        _pooled(report),
        "<h2>Differences: the model minus each peer</h2>",
        _differences(report),
        "<h2>By cutoff</h2>",
        _by_cutoff(report),
        "<h2>What was measured</h2>",
        _table(
            ["test cutoff", "training cutoffs", "rows", "positives"],
            [[c.test, ", ".join(c.trains), f"{c.rows:,}", f"{c.positives:,}"] for c in report.cutoffs],
        ),
        _table(["of", "version"], [[name, value] for name, value in report.versions.items()]),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def figures(report: Report) -> dict[str, Figure]:
    """Draw the report's pictures, by name."""
    drawn = {"gain": gain_figure(report.gain, f"{report.task}: gain")}
    if report.reliability:
        drawn["calibration"] = reliability_figure(report.reliability, f"{report.task}: calibration")
    return drawn


def _headline(report: Report) -> list[str]:
    every = list(report.scorer(report.model).pooled)
    return [report.metric, *[name for name in every if name != report.metric][:4]]


def _pictures(report: Report) -> str:
    images = []
    for name, figure in figures(report).items():
        data = base64.b64encode(png(figure)).decode()
        images.append(f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}"></figure>')
    return "".join(images)


def _pooled(report: Report) -> str:
    names = list(report.scorer(report.model).pooled)
    rows = [[s.name, *[_interval(s.pooled[name]) for name in names], f"{s.fit_seconds:.1f}"] for s in report.scorers]
    return _table(["scorer", *names, "fit s"], rows, strong=report.model)


def _differences(report: Report) -> str:
    rows = [
        [c.peer, c.metric, _interval(c.difference), c.verdict]
        for c in sorted(report.comparisons, key=lambda c: c.metric != report.metric)
    ]
    return _table(["peer", "metric", "difference", "verdict"], rows)


def _by_cutoff(report: Report) -> str:
    days = [cutoff.test for cutoff in report.cutoffs]
    rows = [
        [s.name, name, *[_number(s.per_cutoff[day][name]) for day in days]] for s in report.scorers for name in s.pooled
    ]
    return _table(["scorer", "metric", *days], rows, strong=report.model)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, strong: str = "") -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for row in rows:
        kind = ' class="model"' if row[0] == strong else ""
        cells = "".join(
            f'<td class="{cell}">{cell}</td>' if cell in ("beats", "worse") else f"<td>{escape(cell)}</td>"
            for cell in row
        )
        lines.append(f"<tr{kind}>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>" if len(lines) > 1 else ""


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _interval(value: Interval) -> str:
    if not math.isfinite(value.low):
        return _number(value.value)
    return f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"
