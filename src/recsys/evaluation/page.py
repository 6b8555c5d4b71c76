"""A report for people: one HTML file without any other file, or a table for the terminal."""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.figure import Figure

from recsys.evaluation.bootstrap import Interval, Verdict
from recsys.evaluation.calibration import gain_figure, png, reliability_figure
from recsys.evaluation.markup import STYLE, Cell, Section, as_list, fold, table
from recsys.evaluation.report import Report
from recsys.evaluation.swarm import swarm_figure

_INTERVALS = "Intervals are 95%, over members; differences are paired on the same members."
_TOP = 20


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
    title = f"{report.task}: model card and back-test"
    drawn = figures(report)
    sections = [
        Section("Model card", _card(report)),
        Section("Beside its peers", _pooled(report) + _differences(report)),
        Section("Curves", _pictures(drawn, ("gain", "calibration"))),
        Section("Where it is better and worse", _slices(report)),
        Section("What the scores are made of", _pictures(drawn, ("contributions",)) + _importance(report)),
        Section("By cutoff", _by_cutoff(report)),
        Section("What was measured", _measured(report)),
    ]
    shown = [part for part in sections if part.body]
    links = "".join(f'<a href="#{part.anchor}">{escape(part.title)}</a>' for part in shown)
    parts = [f"<h1>{escape(title)}</h1>", f"<nav>{links}</nav>", _facts(report), *(part.html for part in shown)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def figures(report: Report) -> dict[str, Figure]:
    """Draw the report's pictures, by name."""
    amounts = report.of != "probability"
    drawn = {"gain": gain_figure(report.gain, "gain", of=report.of if amounts else "positives")}
    if report.reliability:
        drawn["calibration"] = reliability_figure(report.reliability, "calibration", of=report.of)
    if report.explanation is not None:
        drawn["contributions"] = swarm_figure(report.explanation, "what moves the scores of the newest test")
    return drawn


def _facts(report: Report) -> str:
    """Show the numbers that a reader looks for first."""
    value = report.scorer(report.model).pooled[report.metric]
    facts = [(_number(value.value), f"{report.metric}, {_span(value)}")]
    if report.best_peer:
        found = report.against(report.best_peer)
        word = {"beats": "better than", "worse": "worse than", "no difference": "no better than"}[found.verdict]
        words = f"{word} {report.best_peer}, the best peer"
        facts.append((f"{found.difference.value:+.4f} {_span(found.difference)}", words))
    rows = sum(cutoff.rows for cutoff in report.cutoffs)
    tests = len(report.cutoffs)
    facts.append((f"{rows:,}", f"rows tested at {tests} cutoff{'s' if tests > 1 else ''}"))
    facts.append((f"{report.horizon} days", "horizon"))
    boxes = "".join(f"<div><b>{escape(number)}</b><span>{escape(words)}</span></div>" for number, words in facts)
    return f'<div class="facts">{boxes}</div>'


def _card(report: Report) -> str:
    card = report.card
    tested = ", ".join(cutoff.test for cutoff in report.cutoffs)
    entries = [
        ("predicts", escape(card.predicts)),
        ("rows", f"{escape(card.population)} <code>{escape(card.rows)}</code>"),
        ("meant for", escape(card.use)),
        ("decided by", f"{escape(report.metric)} at {escape(tested)}"),
        ("taught by", escape(", ".join(card.taught) or "only back-tested: see below")),
        ("limits", as_list(card.limits)),
    ]
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in entries) + "</dl>"


def _pictures(drawn: Mapping[str, Figure], names: Sequence[str]) -> str:
    images = []
    for name, figure in drawn.items():
        if name in names:
            data = base64.b64encode(png(figure)).decode()
            images.append(f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}"></figure>')
    return f'<div class="pictures">{"".join(images)}</div>' if images else ""


def _pooled(report: Report) -> str:
    """Lay metrics down and scorers across: there are many metrics and few scorers."""
    names = _names(report)
    scorers = [report.scorer(name) for name in names]
    metrics = _ordered(report)
    rows = [
        [Cell(metric), *(_cell(scorer.pooled[metric], report, scorer.name) for scorer in scorers)] for metric in metrics
    ]
    rows.append([Cell("fit, s"), *(Cell(f"{scorer.fit_seconds:.1f}") for scorer in scorers)])
    head, most = ["all cutoffs together", *names], len(_headline(report))
    rest = fold("All metrics", table(head, rows[most:])) if len(rows) > most + 1 else ""
    return f'<p class="soft">{_INTERVALS}</p>' + table(head, rows[:most]) + rest


def _differences(report: Report) -> str:
    peers = _names(report)[1:]
    found = {(one.metric, one.peer): one for one in report.comparisons}
    rows = [
        [
            Cell(metric),
            *(_gap(found[metric, peer].difference, found[metric, peer].verdict) for peer in peers),
        ]
        for metric in _ordered(report)
        if any((metric, peer) in found for peer in peers)
    ]
    if not rows:
        return ""
    legend = (
        '<p class="soft">The model minus each peer; <span class="beats">green: better</span>, '
        '<span class="worse">red: worse</span> by the whole interval.</p>'
    )
    most = len(_headline(report))
    head = ["difference", *peers]
    rest = fold("All differences", table(head, rows[most:])) if len(rows) > most else ""
    return legend + table(head, rows[:most]) + rest


def _slices(report: Report) -> str:
    if not report.slices:
        return ""
    peer = report.best_peer
    rows, before = [], ""
    for one in report.slices:
        beside = [Cell(_number(one.theirs)), Cell(_interval(one.difference), one.verdict)] if peer else []
        rows.append(
            [
                Cell(one.cut if one.cut != before else ""),
                Cell(one.part, "text"),
                Cell(f"{one.rows:,}"),
                Cell(_number(one.model)),
                *beside,
            ]
        )
        before = one.cut
    legend = (
        f'<p class="soft">{escape(report.metric)} on parts of the rows, beside {escape(peer) or "no peer"}; '
        "of so many parts a few differ by chance.</p>"
    )
    return legend + table(["cut", "part", "rows", report.model, *([peer, "difference"] if peer else [])], rows)


def _importance(report: Report) -> str:
    if not report.importance:
        return ""
    rows = [
        [
            Cell(one.feature),
            Cell(f"{one.contribution:.4f}"),
            Cell(f"{one.share:.1%}"),
            Cell("-" if one.gain is None else f"{one.gain:.1%}"),
            Cell(one.formula, "wide"),
        ]
        for one in report.importance
    ]
    head = ["feature", "mean |contribution|", "share", "share of gain", "what it is"]
    rest = fold(f"The other {len(rows) - _TOP} features", table(head, rows[_TOP:])) if len(rows) > _TOP else ""
    legend = (
        '<p class="soft">Contributions by TreeSHAP on a sample of the newest test&#39;s rows; '
        "gain: what the splits on the feature gained in the fit.</p>"
    )
    return legend + table(head, rows[:_TOP]) + rest


def _by_cutoff(report: Report) -> str:
    scorers = [report.scorer(name) for name in _names(report)]
    rows = [
        [
            Cell(metric if not number else ""),
            Cell(cutoff.test, "text"),
            *(
                Cell(_number(scorer.per_cutoff[cutoff.test][metric]), "model" if scorer.name == report.model else "")
                for scorer in scorers
            ),
        ]
        for metric in _headline(report)
        for number, cutoff in enumerate(report.cutoffs)
    ]
    return table(["metric", "cutoff", *(scorer.name for scorer in scorers)], rows)


def _measured(report: Report) -> str:
    cutoffs = [
        [Cell(one.test), Cell(", ".join(one.trains)), Cell(f"{one.rows:,}"), Cell(f"{one.positives:,}")]
        for one in report.cutoffs
    ]
    versions = [[Cell(name), Cell(value, "wide")] for name, value in report.versions.items()]
    tested = table(["test cutoff", "training cutoffs", "rows", "positives"], cutoffs)
    return tested + (table(["of", "version"], versions) if versions else "")


def _names(report: Report) -> list[str]:
    """All scorers, the model first."""
    return [report.model, *(one.name for one in report.scorers if one.name != report.model)]


def _headline(report: Report) -> list[str]:
    every = list(report.scorer(report.model).pooled)
    return [report.metric, *[name for name in every if name != report.metric][:4]]


def _ordered(report: Report) -> list[str]:
    """All metrics, the headline first."""
    first = _headline(report)
    return [*first, *(name for name in report.scorer(report.model).pooled if name not in first)]


def _cell(value: Interval, report: Report, scorer: str) -> Cell:
    return Cell(_number(value.value), "model" if scorer == report.model else "", _span(value))


def _gap(difference: Interval, verdict: Verdict) -> Cell:
    return Cell(_number(difference.value), verdict, _span(difference))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{round(value, 4) + 0.0:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def _interval(value: Interval) -> str:
    if not math.isfinite(value.low):
        return _number(value.value)
    return f"{_number(value.value)} {_span(value)}"


def _span(value: Interval) -> str:
    return f"[{_number(value.low)}, {_number(value.high)}]" if math.isfinite(value.low) else ""
