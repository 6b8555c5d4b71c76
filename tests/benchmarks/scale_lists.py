"""Recommendations of a large shop: what is done once for all, and what some of its members take.

    python -m tests.benchmarks.scale_lists --home DIR [--parts 30]

The home holds tables and a champion of recommend. Parts of two thousand members, spread evenly over all, are offered
candidates, scored and cut to lists as `recsys score` does it, two side by side; what all members would take is told.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from recsys.artifacts.bundle import load_bundle
from recsys.core.config import Home
from recsys.core.parallel import side_by_side
from recsys.features.prepared import Span, prepare
from tests.benchmarks.machine import machine
from tests.benchmarks.scale_steps import Clock
from training.measure import peak_megabytes
from training.score import BUNDLE, RECOMMEND, cut_of, scored
from training.score_files import Foremost, ScoreFiles
from training.screen import Screen
from training.settings import Project, TrainingSettings
from training.workspace import Workspace

KEEP = 200


def measure(home: Home, parts: int) -> list[str]:
    """Offer, score and cut; return what it took as lines."""
    shop = Workspace(home, Project(training=TrainingSettings(keep=KEEP)), Screen())
    as_of = shop.tables.end
    bundle = load_bundle(shop.tracking.folder(shop.tracking.champion(RECOMMEND)) / BUNDLE)
    cut = cut_of(shop, bundle.task, as_of)
    assert isinstance(cut, Foremost)
    clock = Clock()
    with (
        TemporaryDirectory(dir=home.root) as scratch,
        TemporaryDirectory(dir=home.root) as made,
        prepare(shop.tables.at(as_of), Path(scratch)) as prepared,
        ScoreFiles(Path(made), bundle.task, cut) as files,
    ):
        once, clock = clock.spent(), Clock()

        def compute(span: Span) -> pd.DataFrame:
            with prepared.part(span) as part:
                return scored(bundle, part.rows(bundle.task))

        spans = prepared.spans()
        chosen = spans[:: max(1, len(spans) // parts)]
        for table in side_by_side(compute, chosen):
            files.add(table)
        told, spent = files.close(), clock.spent()
    members = len(prepared.members)
    some = sum(span.last - span.first + 1 for span in chosen)
    whole = {name: once[name] + spent[name] * members / some for name in spent}
    return [
        f"once for all: {once['seconds']:.0f} s, {once['cpu']:.0f} processor s",
        f"{some:,} of {members:,} members: {told['rows']:,} pairs, of which {told['kept']:,} are kept",
        f"of these: {spent['seconds']:.1f} s, {spent['cpu'] / some * 1e3:.2f} processor ms a member",
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
