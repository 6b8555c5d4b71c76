import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from recsys.evaluation.calibration import canvas
from recsys.evaluation.importance import Explanation
from recsys.evaluation.judged import Floats

TOP = 15
BINS = 90
WIDTH = 0.38  # of the line of one feature, to either side
LOW_TO_HIGH = LinearSegmentedColormap.from_list("low to high", ["#2b6cb0", "#9f7aea", "#d53f8c"])
UNKNOWN = "#a0a0a0"


def swarm_figure(explanation: Explanation, title: str, *, top: int = TOP) -> Figure:
    """Draw a point for each sampled row and each of the features that add most, the largest mean on top.

    Across: what the feature adds to the score. Colour: the rank of its value among the rows, grey for text and for
    unknown values. Points that would lie on each other are moved apart. After Lundberg et al., 2020.
    """
    shares = explanation.contributions
    order = np.argsort(-np.abs(shares).mean(axis=0), kind="stable")[:top]
    order = order[np.abs(shares[:, order]).max(axis=0, initial=0.0) > 0]
    figure, axes = canvas(title, width=7.2, height=0.9 + 0.33 * max(len(order), 3))
    span = float(np.abs(shares[:, order]).max(initial=0.0)) or 1.0
    points = None
    for line, at in enumerate(order[::-1]):
        rank = ranks(explanation.values.iloc[:, at].to_numpy(), explanation.specs[at].kind)
        x, y = shares[:, at], line + WIDTH * apart(shares[:, at], span)
        unknown = np.isnan(rank)
        axes.scatter(x[unknown], y[unknown], s=5, color=UNKNOWN, linewidths=0, rasterized=True)
        points = axes.scatter(
            x[~unknown], y[~unknown], s=5, c=rank[~unknown], cmap=LOW_TO_HIGH, vmin=0, vmax=1, linewidths=0
        )
    axes.axvline(0, color="0.6", linewidth=1, zorder=0)
    axes.set_yticks(range(len(order)), [explanation.specs[at].name for at in order[::-1]], fontsize=8)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel("adds to the score, on the model's own scale")
    if points is not None:
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], shrink=0.5, pad=0.02)
        bar.ax.set_yticklabels(["low", "high"], fontsize=8)
        bar.set_label("value of the feature", fontsize=8)
    return figure


def ranks(values: "np.ndarray", kind: str) -> Floats:
    """(n,) values -> (n,) share of the known values below, half of the equal ones counted in; NaN = text or unknown."""
    out = np.full(len(values), np.nan)
    if kind != "number":
        return out
    numbers = values.astype(np.float64)
    known = ~np.isnan(numbers)
    ordered = np.sort(numbers[known])
    sides = [np.searchsorted(ordered, numbers[known], side="left"), np.searchsorted(ordered, numbers[known], "right")]
    out[known] = (sides[0] + sides[1]) / 2 / max(len(ordered), 1)
    return out


def apart(x: Floats, span: float) -> Floats:
    """(n,) heights in [-1, 1] that part points of like x: the more there are, the further out, from the middle on."""
    place = np.floor((x / span + 1) / 2 * BINS).astype(np.int64)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=place.min(initial=0) - 1))
    sizes = np.diff(np.append(starts, len(x)))
    nth = np.empty(len(x), dtype=np.int64)
    nth[order] = np.arange(len(x)) - np.repeat(starts, sizes)
    side = np.where(nth % 2, 1, -1) * ((nth + 1) // 2)
    return side / max(float(np.abs(side).max(initial=0)), 1.0)
