"""Recommendations of a large shop: what is done once for all, and what some of its members take.

    python -m tests.benchmarks.scale_lists --home DIR [--parts 30]

The home holds tables and a champion of recommend. Parts of two thousand members, spread evenly over all, are offered
candidates, scored and cut to lists as `recsys score` does it, two side by side; what all members would take is told.
"""

import argparse
import sys
from pathlib import Path

from recsys.artifacts.bundle import load_bundle
from recsys.core.config import Home
from tests.benchmarks.machine import machine
from tests.benchmarks.scale_scoring import list_members
from training.measure import peak_megabytes
from training.score import BUNDLE, RECOMMEND
from training.screen import Screen
from training.settings import Project, TrainingSettings
from training.workspace import Workspace

KEEP = 200


def measure(home: Home, parts: int) -> list[str]:
    """Offer, score and cut; return what it took as lines."""
    shop = Workspace(home, Project(training=TrainingSettings(keep=KEEP)), Screen())
    bundle = load_bundle(shop.tracking.folder(shop.tracking.champion(RECOMMEND)) / BUNDLE)
    told = list_members(shop, bundle, parts)
    spent = told.spent
    whole = {name: told.once[name] + spent[name] * told.members / told.chosen for name in spent}
    return [
        f"once for all: {told.once['seconds']:.0f} s, {told.once['cpu']:.0f} processor s",
        f"{told.chosen:,} of {told.members:,} members: {told.rows:,} pairs, of which {told.kept:,} are kept",
        f"of these: {spent['seconds']:.1f} s, {spent['cpu'] / told.chosen * 1e3:.2f} processor ms a member",
        f"all members at that rate: {whole['seconds'] / 60:.1f} minutes, {whole['cpu'] / 60:.1f} of processors",
        f"peak: {peak_megabytes():,.0f} MB",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parts", type=int, default=30)
    given = parser.parse_args()
    sys.stdout.write("\n".join((machine(), "", *measure(Home(given.home), given.parts), "")))


if __name__ == "__main__":
    main()
