"""What training leaves for the models' page: written whole, read back equal, refused when it is something else."""

from pathlib import Path

import pytest

from recsys.artifacts.shelf import GateTold, LedgerLine, Shelf, Version, judged, read_shelves, write_shelf
from recsys.core.errors import ArtifactError

REPORT = {
    "model": "churn",
    "cutoffs": [{"test": "2025-02-03", "rows": 10}, {"test": "2025-03-03", "rows": 30}],
    "scorers": [
        {"name": "recency", "pooled": {"auc": {"value": 0.6, "low": 0.5, "high": 0.7}}},
        {"name": "churn", "pooled": {"auc": {"value": 0.8, "low": 0.7, "high": None}}},
    ],
    "reliability": {"churn": {"predicted": [0.1], "observed": [0.2], "count": [3]}},
    "gain": {},
    "card": {"predicts": "It.", "use": "That.", "limits": ["One."], "population": "All."},
}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    told = judged(REPORT, "churn")
    assert (told.rows, told.tests, told.gain) == (40, ("2025-02-03", "2025-03-03"), None)
    assert told.metrics["auc"].value == 0.8
    version = Version("2", "2025-03-03T00:00:00+00:00", ("champion",), 0.8, "2025-02-03", "0.1", None, told)
    other = Version("1", "2025-03-03T00:00:00+00:00", (), None, "", "", GateTold(False, "", "worse"), None)
    ledger = (LedgerLine("promote", "2", False, "ada", "better", "2025-03-04T00:00:00+00:00"),)
    shelf = Shelf("churn", "auc", 28, (version, other), ledger)
    write_shelf(tmp_path / "models", shelf)
    write_shelf(tmp_path / "models", Shelf("value", "gini", 0))
    assert read_shelves(tmp_path / "models") == (shelf, Shelf("value", "gini", 0))


def test_without_a_folder_nothing_is_told(tmp_path: Path) -> None:
    assert read_shelves(tmp_path / "models") == ()


@pytest.mark.parametrize("text", ["", "{}", '{"task": "churn", "metric": "auc", "horizon": 1, "more": 2}'])
def test_a_file_that_is_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "churn.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"churn\.json"):
        read_shelves(tmp_path)
