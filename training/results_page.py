"""The page of results: written from reports alone, with explanations that people wrote beside what was measured."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from recsys.evaluation.metrics import metric_of
from training.measure import Taken

PACKAGES = ("lightgbm", "implicit", "scikit-learn", "numpy", "pandas", "duckdb", "feast")
MARKS = {"beats": "beats", "no difference": "no difference", "worse": "**worse**"}
LEAST = 50
"""Positives below which a report is shown but not judged: resampling so few tells little of chance."""
UNEXPLAINED = "Not explained yet."
INTRODUCTION = """\
# Results

Written by `recsys results` (`make results`) from the reports of its back-tests; explanations are kept in `results.toml`
beside this page. Do not edit this page.

Each model is fitted and tested over the same cutoffs, rows and labels as its peers. Values are means over the test
cutoffs (calibration and errors: over all their rows); intervals are 95%, by bootstrap over members; differences are
model minus peer, paired on the same members. "beats" and "worse" mean that the interval leaves out 0. Every shop has a
home of its own, and one process does all of it; times and memory are of the machine named at the end.
"""


@dataclass(frozen=True)
class ShopResult:
    """What was measured on one shop.

    commands: that do the same by hand. facts: name -> value of its tables. taken: its steps.
    reports: report name -> the report as its JSON file has it.
    """

    name: str
    title: str
    commands: tuple[str, ...]
    facts: Mapping[str, str]
    taken: tuple[Taken, ...]
    reports: Mapping[str, Mapping[str, Any]]


def to_page(shops: Sequence[ShopResult], notes: Mapping[str, Mapping[str, str]]) -> str:
    """Write the page.

    notes: shop -> report -> why its model does not beat a peer; those of reports that are not there are left out.
    """
    judged = [
        replace(shop, reports={name: one for name, one in shop.reports.items() if positives(one) >= LEAST})
        for shop in shops
    ]
    parts = [INTRODUCTION, "## At a glance\n", _glance(judged), _tally(judged)]
    parts += ["## Where a model does not beat its peer\n", _losses(judged, notes)]
    for shop in shops:
        parts += [f"## {shop.title}\n", _shop(shop)]
        for report in shop.reports.values():
            parts += [f"### {shop.name}: {title_of(report)}\n", _report(report)]
    parts += ["## Versions and machine\n", _versions(shops)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def title_of(report: Mapping[str, Any]) -> str:
    """Name a report for people."""
    return f"{report['task']}, {report['horizon']} days"


def positives(report: Mapping[str, Any]) -> int:
    """Count what came to pass, over the test cutoffs."""
    return sum(cutoff["positives"] for cutoff in report["cutoffs"])


def best_peer(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the comparison with the peer that comes nearest in the deciding metric; None without peers."""
    known = [found for found in deciding(report) if found["difference"]["value"] is not None]
    pooled = {scorer["name"]: scorer["pooled"][report["metric"]]["value"] for scorer in report["scorers"]}
    sign = metric_of(report["task"], report["metric"]).better
    return min(known, key=lambda found: sign * (pooled[report["model"]] - pooled[found["peer"]]), default=None)


def deciding(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the comparisons in the deciding metric, in the order of the peers."""
    return [found for found in report["comparisons"] if found["metric"] == report["metric"]]


def _glance(shops: Sequence[ShopResult]) -> str:
    rows = []
    for shop in shops:
        for report in shop.reports.values():
            metric, model = report["metric"], _scorer(report, report["model"])
            found = best_peer(report)
            peer = [found["peer"], _number(_scorer(report, found["peer"])["pooled"][metric]["value"])] if found else []
            tail = [*peer, _interval(found["difference"]), MARKS[found["verdict"]]] if found else [""] * 4
            rows.append(
                [
                    shop.name,
                    title_of(report),
                    f"{positives(report):,}",
                    metric,
                    _interval(model["pooled"][metric]),
                    *tail,
                ]
            )
    head = ["shop", "task", "positives", "metric", "model", "best peer", "its value", "model minus it", "verdict"]
    return _table(head, rows)


def _tally(shops: Sequence[ShopResult]) -> str:
    """Count verdicts over all shops, reports and peers in the deciding metrics."""
    verdicts = [found["verdict"] for shop in shops for report in shop.reports.values() for found in deciding(report)]
    count = {verdict: verdicts.count(verdict) for verdict in MARKS}
    return (
        f"Of {len(verdicts)} comparisons with a peer in a deciding metric the model wins {count['beats']}, "
        f"{count['no difference']} show no difference and it loses {count['worse']}.\n"
    )


def _losses(shops: Sequence[ShopResult], notes: Mapping[str, Mapping[str, str]]) -> str:
    """List what a model did not win, in its deciding metric or, beside that, worse in another one."""
    parts = []
    for shop in shops:
        for name, report in shop.reports.items():
            tied = [found for found in deciding(report) if found["verdict"] != "beats"]
            worse = [
                found
                for found in report["comparisons"]
                if found["metric"] != report["metric"] and found["verdict"] == "worse"
            ]
            if not tied and not worse:
                continue
            lines = [f"- **{shop.name}, {title_of(report)}**"]
            lines += [
                f"  - {report['metric']}, {MARKS[found['verdict']]}: {found['peer']}, {_interval(found['difference'])}"
                for found in tied
            ]
            lines += [f"  - {line}" for line in _by_peer(worse)]
            lines.append(f"  - Why: {_note(notes, shop.name, name)}")
            parts.append("\n".join(lines))
    return "\n".join(parts) + "\n" if parts else "Nowhere.\n"


def _by_peer(worse: Sequence[Mapping[str, Any]]) -> list[str]:
    peers: dict[str, list[str]] = {}
    for found in worse:
        peers.setdefault(found["peer"], []).append(f"{found['metric']} {_interval(found['difference'])}")
    return [f"worse than {peer} in other metrics: {'; '.join(metrics)}" for peer, metrics in peers.items()]


def _note(notes: Mapping[str, Mapping[str, str]], shop: str, name: str) -> str:
    return " ".join(notes.get(shop, {}).get(name, UNEXPLAINED).split())


def _shop(shop: ShopResult) -> str:
    facts = _table(list(shop.facts), [list(shop.facts.values())])
    total = sum(step.seconds for step in shop.taken)
    peak = max((step.megabytes for step in shop.taken), default=0.0)
    steps = _table(
        ["step", *[step.title for step in shop.taken], "all"],
        [
            ["seconds", *[f"{step.seconds:.0f}" for step in shop.taken], f"{total:.0f}"],
            ["peak MB", *[f"{step.megabytes:.0f}" for step in shop.taken], f"{peak:.0f}"],
        ],
    )
    commands = "\n".join(f"    {command}" for command in shop.commands)
    return f"By hand:\n\n{commands}\n\n{facts}\n{steps}"


def _report(report: Mapping[str, Any]) -> str:
    if not any(cutoff["rows"] for cutoff in report["cutoffs"]):
        return "Nothing to predict: no row at any test cutoff.\n"
    thin = f"**Only {positives(report)} positive: too few to judge; not counted above.** " * (positives(report) < LEAST)
    cutoffs = "; ".join(
        f"{cutoff['test']} (taught by {len(cutoff['trains'])} cutoffs from {cutoff['trains'][0]} on, "
        f"{cutoff['rows']:,} rows, {cutoff['positives']:,} positive)"
        for cutoff in report["cutoffs"]
    )
    notes = "".join(f" Note: {note}." for note in report["notes"])
    return f"{thin}Tested on {cutoffs}.{notes}\n\n{_values(report)}\n{_differences(report)}\n{_calibration(report)}"


def _values(report: Mapping[str, Any]) -> str:
    """Lay metrics by scorers; the deciding metric, first, with its interval."""
    metric = report["metric"]
    names = [scorer["name"] for scorer in report["scorers"]]
    rows = [[f"**{metric}**", *[_interval(scorer["pooled"][metric]) for scorer in report["scorers"]]]]
    others = [name for name in report["scorers"][0]["pooled"] if name != metric]
    rows += [[name, *[_number(scorer["pooled"][name]["value"]) for scorer in report["scorers"]]] for name in others]
    rows.append(["fit, seconds", *[f"{scorer['fit_seconds']:.1f}" for scorer in report["scorers"]]])
    return _table(["", *[f"**{name}**" if name == report["model"] else name for name in names]], rows)


def _differences(report: Mapping[str, Any]) -> str:
    """Lay peers by what the comparison with them says, also beside the deciding metric."""
    rows = []
    for found in deciding(report):
        others = [other for other in report["comparisons"] if other["peer"] == found["peer"] and other is not found]
        told = [", ".join(o["metric"] for o in others if o["verdict"] == verdict) for verdict in ("beats", "worse")]
        rows.append([found["peer"], _interval(found["difference"]), MARKS[found["verdict"]], *told])
    return _table(["peer", f"model minus it ({report['metric']})", "verdict", "beats it also in", "worse in"], rows)


def _calibration(report: Mapping[str, Any]) -> str:
    """Lay what the model promised against what came, in parts of equally many rows."""
    curve = report["reliability"].get(report["model"])
    if not curve:
        return ""
    rows = [
        ["promised", *[_number(value) for value in curve["predicted"]]],
        ["came", *[_number(value) for value in curve["observed"]]],
    ]
    return _table(["calibration", *[str(number + 1) for number in range(len(curve["predicted"]))]], rows)


def _versions(shops: Sequence[ShopResult]) -> str:
    codes = {report["versions"].get("code_version", "unknown") for shop in shops for report in shop.reports.values()}
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = os.cpu_count()
    return (
        f"recsys {', '.join(sorted(codes))}; Python {platform.python_version()}; {packages}.\n"
        f"{platform.system()} {platform.machine()}, {cores} cores.\n"
    )


def _scorer(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(scorer for scorer in report["scorers"] if scorer["name"] == name)
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def _interval(interval: Mapping[str, float | None]) -> str:
    value = _number(interval["value"])
    if interval["low"] is None or interval["high"] is None:
        return value
    return f"{value} [{_number(interval['low'])}, {_number(interval['high'])}]"
