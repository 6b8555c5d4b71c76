"""The charts as data: what ECharts draws, in one style and in colours that colour-blind people tell apart."""

from collections.abc import Mapping, Sequence
from typing import Any

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
"""Okabe and Ito's palette without black and yellow; series differ by shape or dash as well."""
LINE, INK, APART = "#dfe5ec", "#566573", "#8a96a3"
DASHES = ("solid", "dashed", "dotted")
DAY_MS = 86_400_000
SHAPES = ("circle", "rect", "triangle", "diamond")

Options = dict[str, Any]
Record = Mapping[str, Any]


def base(*, legend: bool = False) -> Options:
    """Return what all charts with axes share."""
    return {
        "color": list(COLOURS),
        "animationDuration": 300,
        "textStyle": {"fontFamily": "inherit", "color": INK},
        "grid": {"left": 8, "right": 16, "top": 44 if legend else 16, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "legend": {"show": legend, "top": 0, "left": 0, "itemWidth": 20, "textStyle": {"color": INK}},
    }


def names_axis(names: Sequence[str]) -> Options:
    """Return an axis of names."""
    line = {"lineStyle": {"color": LINE}}
    return {"type": "category", "data": list(names), "axisLine": line, "axisTick": {"show": False}}


def numbers_axis(name: str = "") -> Options:
    """Return an axis of numbers."""
    title = {"color": INK, "align": "left"}
    return {"type": "value", "name": name, "nameTextStyle": title, "splitLine": {"lineStyle": {"color": LINE}}}


def weeks(told: Sequence[Record], members: str, money: str) -> Options:
    """Draw weeks of purchases: who bought as bars, what was paid as a line."""
    return base(legend=True) | {
        "grid": base(legend=True)["grid"] | {"top": 64},
        "xAxis": names_axis([week["first_day"] for week in told]),
        "yAxis": [numbers_axis(members), numbers_axis(money) | {"splitLine": {"show": False}}],
        "series": [
            {"name": members, "type": "bar", "barMaxWidth": 24, "data": [week["members"] for week in told]},
            {
                "name": money,
                "type": "line",
                "yAxisIndex": 1,
                "symbol": "circle",
                "symbolSize": 6,
                "data": [round(week["money"], 2) for week in told],
            },
        ],
    }


def lines(days: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Options:
    """Draw lines over days, each with a dash and a shape of its own."""
    drawn = [
        {
            "name": name,
            "type": "line",
            "data": list(values),
            "symbol": SHAPES[at % len(SHAPES)],
            "symbolSize": 7,
            "lineStyle": {"type": DASHES[at % len(DASHES)], "width": 2},
        }
        for at, (name, values) in enumerate(series.items())
    ]
    return base(legend=True) | {"xAxis": names_axis(days), "yAxis": numbers_axis(), "series": drawn}


def bars(names: Sequence[str], sizes: Sequence[float], unit: str) -> Options:
    """Draw lying bars, the first at the top, each with its number."""
    label = {"show": True, "position": "right", "color": INK}
    return base() | {
        "grid": base()["grid"] | {"right": 56},
        "xAxis": numbers_axis(),
        "yAxis": names_axis(names) | {"inverse": True},
        "series": [{"name": unit, "type": "bar", "barMaxWidth": 20, "label": label, "data": list(sizes)}],
    }


def spans(rows: Sequence[tuple[str, str, str, str]], likely: str, even: str) -> Options:
    """Draw an interval of days a row. rows: name, first day, median day, last day. likely, even: their names."""
    names = [row[0] for row in rows]
    line = {"show": True, "lineStyle": {"color": LINE}}
    day = {
        "type": "time",
        "minInterval": DAY_MS,
        "axisLabel": {"formatter": "{MM}-{dd}", "fontSize": 12},
        "splitLine": line,
    }
    bounds = [{"coords": [[low, name], [high, name]]} for name, low, _, high in rows]
    return base(legend=True) | {
        "tooltip": {"trigger": "item"},
        "xAxis": day | {"min": min(row[1] for row in rows), "max": max(row[3] for row in rows)},
        "yAxis": names_axis(names) | {"inverse": True},
        "series": [
            {
                "name": likely,
                "type": "lines",
                "coordinateSystem": "cartesian2d",
                "data": bounds,
                "lineStyle": {"color": SKY, "width": 8, "opacity": 0.8, "cap": "round"},
            },
            {
                "name": even,
                "type": "scatter",
                "symbol": "diamond",
                "symbolSize": 12,
                "itemStyle": {"color": BLUE},
                "data": [[median, name] for name, _, median, _ in rows],
            },
        ],
    }


def days(told: Sequence[Record], money: str) -> Options:
    """Draw what was paid on each day of purchase."""
    return base() | {
        "xAxis": {
            "type": "time",
            "axisLine": {"lineStyle": {"color": LINE}},
            "axisLabel": {"formatter": "{yyyy}-{MM}-{dd}", "fontSize": 12, "hideOverlap": True},
        },
        "yAxis": numbers_axis(),
        "series": [
            {
                "name": money,
                "type": "bar",
                "barWidth": 4,
                "data": [[day["day"], round(day["money"], 2)] for day in told],
            }
        ],
    }


def histogram(bins: Sequence[Record], members: str, threshold: float | None, chosen: str) -> Options:
    """Draw how many members have which score; what lies at or above the threshold is filled, the rest is hatched."""
    low = bins[0]["low"] if bins else 0.0
    data = [
        {
            "value": [(one["low"] + one["high"]) / 2, one["count"]],
            "itemStyle": {"color": BLUE if threshold is None or one["high"] > threshold else "#b8c4d0"},
        }
        for one in bins
    ]
    mark = {
        "symbol": "none",
        "lineStyle": {"color": RED, "width": 2},
        "label": {"formatter": chosen, "color": INK, "position": "end"},
        "data": [] if threshold is None else [{"xAxis": threshold}],
    }
    return base() | {
        "grid": base()["grid"] | {"top": 32},
        "xAxis": numbers_axis() | {"min": low, "max": bins[-1]["high"] if bins else 1.0},
        "yAxis": numbers_axis(),
        "series": [{"name": members, "type": "bar", "barWidth": "88%", "data": data, "markLine": mark}],
    }


def calibration(curves: Mapping[str, Record], predicted: str, observed: str, perfect: str) -> Options:
    """Draw how probabilities came true, beside the diagonal on which they all would."""
    top = max((max(*curve["predicted"], *curve["observed"]) for curve in curves.values()), default=1.0)
    top = min(1.0, max(0.1, round(top + 0.05, 1)))
    own = [
        {
            "name": name,
            "type": "line",
            "symbol": SHAPES[at],
            "symbolSize": 8,
            "lineStyle": {"type": DASHES[at], "width": 2},
            "data": [list(pair) for pair in zip(curve["predicted"], curve["observed"], strict=True)],
        }
        for at, (name, curve) in enumerate(curves.items())
    ]
    diagonal = {
        "name": perfect,
        "type": "line",
        "symbol": "none",
        "lineStyle": {"color": INK, "type": "dotted", "width": 1},
        "itemStyle": {"color": INK},
        "data": [[0, 0], [top, top]],
    }
    return _square(predicted, observed, top, [*own, diagonal])


def gain(curves: Mapping[str, Record], taken: str, reached: str, chance: str) -> Options:
    """Draw how many of those who did it the highest scores reach, beside what chance would."""
    own = [
        {
            "name": name,
            "type": "line",
            "symbol": "none",
            "lineStyle": {"type": DASHES[at], "width": 2},
            "data": [list(pair) for pair in zip(curve["taken"], curve["reached"], strict=True)],
        }
        for at, (name, curve) in enumerate(curves.items())
    ]
    line = {
        "name": chance,
        "type": "line",
        "symbol": "none",
        "lineStyle": {"color": INK, "type": "dotted", "width": 1},
        "itemStyle": {"color": INK},
        "data": [[0, 0], [1, 1]],
    }
    return _square(taken, reached, 1.0, [*own, line])


def flow(names: Sequence[tuple[str, str]], links: Sequence[tuple[str, str, int]], apart: Sequence[str] = ()) -> Options:
    """Draw who moved from where to where. names: id and label, those of the first side first. apart: labels in grey."""
    colours = {label: COLOURS[at % len(COLOURS)] for at, label in enumerate(dict.fromkeys(one for _, one in names))}
    colours |= dict.fromkeys(apart, APART)
    nodes = [
        {"name": node, "value": label, "itemStyle": {"color": colours[label]}, "label": {"formatter": label}}
        for node, label in names
    ]
    return {
        "color": list(COLOURS),
        "textStyle": {"fontFamily": "inherit", "color": INK},
        "tooltip": {"trigger": "item", "confine": True},
        "series": [
            {
                "type": "sankey",
                "left": 8,
                "right": 132,
                "top": 16,
                "bottom": 16,
                "nodeGap": 12,
                "layoutIterations": 0,
                "lineStyle": {"color": "source", "opacity": 0.35},
                "label": {"color": "#17212b"},
                "data": nodes,
                "links": [{"source": one, "target": other, "value": n} for one, other, n in links],
            }
        ],
    }


def _square(across: str, up: str, top: float, series: list[Options]) -> Options:
    middle = {"nameLocation": "middle", "nameTextStyle": {"color": INK}}
    return base(legend=True) | {
        "xAxis": numbers_axis(across) | middle | {"nameGap": 28, "min": 0, "max": top},
        "yAxis": numbers_axis(up) | middle | {"nameGap": 36, "min": 0, "max": top},
        "grid": base(legend=True)["grid"] | {"bottom": 28, "left": 24},
        "series": series,
    }
