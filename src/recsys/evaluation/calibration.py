import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recsys.evaluation.curves import BINS, equal_mass_bins
from recsys.evaluation.judged import Floats

POINTS = 101


@dataclass(frozen=True)
class Reliability:
    """Promised against kept, in bins of equal mass, lowest first.

    predicted, observed, count: (b,) mean score, share of outcomes (or mean amount) and rows of each bin.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    count: tuple[int, ...]


@dataclass(frozen=True)
class Gain:
    """Share of all positives, or of all amounts, reached when a share of the rows is taken, best score first.

    Ties are taken in equal parts.

    taken, reached: (p,) from 0 to 1.
    """

    taken: tuple[float, ...]
    reached: tuple[float, ...]


def reliability(score: Floats, y: Floats, *, bins: int = BINS) -> Reliability:
    """Bin (n,) scores as the calibration error does and compare with (n,) outcomes 0 or 1, or amounts."""
    number = equal_mass_bins(score, bins)
    count = np.bincount(number)
    held = count > 0
    predicted = np.bincount(number, weights=score)[held] / count[held]
    observed = np.bincount(number, weights=y)[held] / count[held]
    return Reliability(tuple(predicted.tolist()), tuple(observed.tolist()), tuple(count[held].tolist()))


def gain(score: Floats, y: Floats, *, points: int = POINTS) -> Gain:
    """Cumulative gain of (n,) scores against (n,) outcomes 0 or 1, or amounts; empty when nothing happened."""
    if not y.sum():
        return Gain((), ())
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    taken = np.concatenate([[0.0], (ends + 1) / len(y)])
    reached = np.concatenate([[0.0], np.cumsum(y[order])[ends] / y.sum()])
    grid = np.linspace(0, 1, points)
    return Gain(tuple(grid.tolist()), tuple(np.interp(grid, taken, reached).tolist()))


def reliability_figure(curves: Mapping[str, Reliability], title: str, *, of: str = "probability") -> Figure:
    """Draw promised against kept for each scorer; the first one stands out."""
    figure, axes = canvas(title)
    top = max([0.01, *(value for curve in curves.values() for value in (*curve.predicted, *curve.observed))])
    axes.plot([0, top], [0, top], color="0.7", linewidth=1, linestyle="--")
    _lines(axes, {name: (curve.predicted, curve.observed) for name, curve in curves.items()}, marker="o")
    axes.set(xlabel=f"mean {of} predicted", ylabel=f"mean {of} observed")
    return figure


def gain_figure(curves: Mapping[str, Gain], title: str, *, of: str = "positives") -> Figure:
    """Draw the gain curve of each scorer; the first one stands out."""
    figure, axes = canvas(title)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    _lines(axes, {name: (curve.taken, curve.reached) for name, curve in curves.items()}, marker="")
    axes.set(xlabel="share of rows taken, best first", ylabel=f"share of {of} reached")
    return figure


def png(figure: Figure) -> bytes:
    """Render a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def canvas(title: str, *, width: float = 6, height: float = 4.6) -> tuple[Figure, Axes]:
    """Make an empty picture of so many inches with a title and a faint grid."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.25)
    return figure, axes


def _lines(axes: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, marker: str) -> None:
    for number, (name, (x, y)) in enumerate(lines.items()):
        axes.plot(
            x, y, marker=marker, markersize=4, linewidth=2.4 if number == 0 else 1.2, label=name, zorder=9 - number
        )
    if lines:
        axes.legend(fontsize=8)
