"""Audiences of products that do not exist yet: described by their attributes, scored by the champion."""

import tempfile
from pathlib import Path

import pandas as pd

from recsys.artifacts.bundle import load_bundle
from recsys.core.errors import MissingError
from recsys.core.time import AsOf
from recsys.features.described import Described, described_rows
from training.score import BUNDLE
from training.workspace import Workspace

TASK = "new_product"


def run_audience_for(workspace: Workspace, product: Described, text: str, top: int, to: Path) -> None:
    """Score every active member for a described product, write the best ones to a CSV file and say what to expect."""
    with workspace.screen.step(TASK, 1) as advance:
        advance("score")
        table = audience_for(workspace, product, workspace.as_of(text))
    chosen = table.head(top) if top else table
    chosen.to_csv(to, index=False)
    expected, average = chosen["score"].sum(), table["score"].mean()
    workspace.screen.say(f"{to}: {len(chosen)} of {len(table)} active members")
    workspace.screen.say(f"expected to buy: {expected:.1f}; of as many at random: {average * len(chosen):.1f}")


def audience_for(workspace: Workspace, product: Described, as_of: AsOf) -> pd.DataFrame:
    """(n, 2) `member_id` and `score`, the calibrated probability of buying it within the horizon, best first.

    `MissingError` when there is no champion for launches, or nobody was active.
    """
    champion = workspace.tracking.champion(TASK)
    bundle = load_bundle(workspace.tracking.folder(champion) / BUNDLE)
    with tempfile.TemporaryDirectory() as scratch:
        rows = described_rows(workspace.tables.at(as_of), (product,), bundle.task, Path(scratch))
        if not len(rows):
            raise MissingError(f"active members at {as_of}", "recsys ingest")
        table = bundle.model.score(rows).table
    best = table.sort_values(["score", "member_id"], ascending=[False, True])
    return best[["member_id", "score"]].reset_index(drop=True)
