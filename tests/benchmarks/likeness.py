"""How much simulated shops resemble another one, drawn.

`python -m tests.benchmarks.likeness NAME=HOME ... --out FILE.png`. Each HOME holds ingested tables; the first one is
what the others are compared with.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recsys.core.config import Home
from recsys.data.tables import Tables

Floats = npt.NDArray[np.float64]

BASKET = """
    CREATE TEMP TABLE basket AS
    SELECT DISTINCT member_id, day, product_id, coalesce(category, 'unknown') AS category
    FROM orders LEFT JOIN products USING (product_id) WHERE NOT is_return
"""
SIZES = "SELECT count(*) AS n FROM basket GROUP BY member_id, day"
VISITS = "SELECT count(DISTINCT day) AS n FROM basket GROUP BY member_id"
GAPS = """
    SELECT day - lag(day) OVER (PARTITION BY member_id ORDER BY day) AS n
    FROM (SELECT DISTINCT member_id, day FROM basket) QUALIFY n IS NOT NULL
"""
CATEGORY_GAPS = """
    SELECT day - lag(day) OVER (PARTITION BY member_id, category ORDER BY day) AS n
    FROM (SELECT DISTINCT member_id, category, day FROM basket) QUALIFY n IS NOT NULL
"""
POPULARITY = "SELECT count(*) AS n FROM basket GROUP BY product_id ORDER BY n DESC"
REPEATS = """
    SELECT nth, avg(CAST(old AS DOUBLE)) AS share
    FROM (
        SELECT dense_rank() OVER (PARTITION BY member_id ORDER BY day) AS nth,
               day > min(day) OVER (PARTITION BY member_id, product_id) AS old
        FROM basket
    ) WHERE nth BETWEEN 2 AND 60 GROUP BY nth HAVING count(*) >= 100 ORDER BY nth
"""


@dataclass(frozen=True)
class Shop:
    """One shop's distributions.

    sizes: (b,) different products of each visit. visits: (m,) of each member. gaps, category_gaps: days between visits,
    and between those with a purchase in the same category. popularity: (p,) visits with each product, largest first.
    repeats: (v, 2) ordinal of the visit, and the share of its products that the member had bought before, where enough
        was bought to tell.
    """

    name: str
    sizes: Floats
    visits: Floats
    gaps: Floats
    category_gaps: Floats
    popularity: Floats
    repeats: Floats

    @classmethod
    def read(cls, name: str, home: Path) -> "Shop":
        """Read the current tables of a home."""
        with Tables.open(Home(home).tables).connect() as connection:
            connection.execute(BASKET)
            return cls(
                name=name,
                sizes=_numbers(connection, SIZES)[:, 0],
                visits=_numbers(connection, VISITS)[:, 0],
                gaps=_numbers(connection, GAPS)[:, 0],
                category_gaps=_numbers(connection, CATEGORY_GAPS)[:, 0],
                popularity=_numbers(connection, POPULARITY)[:, 0],
                repeats=_numbers(connection, REPEATS),
            )


def _numbers(connection: duckdb.DuckDBPyConnection, sql: str) -> Floats:
    columns: dict[str, Any] = connection.execute(sql).fetchnumpy()
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])


def draw(shops: list[Shop]) -> Figure:
    """Lay six pictures side by side, a line a shop."""
    figure = Figure(figsize=(13, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    basket, visit, gap, category, fame, repeat = figure.subplots(2, 3).ravel()
    for shop in shops:
        _at_least(basket, shop.sizes, shop.name)
        _at_least(visit, shop.visits, shop.name)
        _at_most(gap, shop.gaps, shop.name, 60)
        _at_most(category, shop.category_gaps, shop.name, 120)
        share = np.cumsum(shop.popularity) / shop.popularity.sum()
        fame.plot(np.arange(1, len(share) + 1) / len(share), share, label=f"{shop.name}: {len(share):,} products")
        repeat.plot(shop.repeats[:, 0], shop.repeats[:, 1], label=f"{shop.name}: mean {shop.repeats[:, 1].mean():.2f}")
    basket.set(title="Products of a visit", xlabel="so many or more", ylabel="share of visits", xscale="log")
    visit.set(title="Visits of a member", xlabel="so many or more", ylabel="share of members", xscale="log")
    gap.set(title="Days between visits", xlabel="at most so many days", ylabel="share of gaps")
    category.set(title="Days between purchases in a category", xlabel="at most so many days", ylabel="share of gaps")
    fame.set(title="Popularity", xlabel="share of the products, best sold first", ylabel="share of what is bought")
    fame.set_xscale("log")
    repeat.set(title="Repeats", xlabel="the member's visit", ylabel="share of its products bought before", ylim=(0, 1))
    for axes in figure.axes:
        axes.grid(visible=True, alpha=0.25)
        axes.legend(fontsize=8)
    return figure


def _at_least(axes: Axes, values: Floats, name: str) -> None:
    steps = np.unique(values)
    share = 1 - np.searchsorted(np.sort(values), steps, side="left") / len(values)
    axes.plot(steps, share, label=f"{name}: median {np.median(values):.0f}, mean {values.mean():.1f}")


def _at_most(axes: Axes, values: Floats, name: str, most: int) -> None:
    steps = np.arange(1, most + 1)
    share = np.searchsorted(np.sort(values), steps, side="right") / len(values)
    axes.plot(steps, share, label=f"{name}: median {np.median(values):.0f}, mean {values.mean():.1f}")


def main() -> None:
    """Read the homes and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shops", nargs="+", metavar="NAME=HOME")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    pairs = [text.partition("=") for text in asked.shops]
    draw([Shop.read(name, Path(home)) for name, _, home in pairs]).savefig(asked.out, dpi=80)


if __name__ == "__main__":
    main()
