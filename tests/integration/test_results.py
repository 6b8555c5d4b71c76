"""The record of results over a small simulated shop, from nothing to the page."""

from pathlib import Path

import pytest

from recsys.core.errors import ConfigError
from recsys.data.simulator.write import Simulation
from training.results import CHURN_DAYS, Shop, run_results
from training.screen import Screen

SHOP = Shop("tiny", "A tiny shop", Simulation(60, 145, 1, "mother-and-baby"))


def test_a_page_needs_reports_and_a_known_shop(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no reports"):
        run_results(tmp_path, Screen(), tmp_path / "results.md", (SHOP,), again=False)
    with pytest.raises(ConfigError, match="none of tiny"):
        run_results(tmp_path, Screen(), tmp_path / "results.md", (SHOP,), only="huge")


@pytest.mark.slow
def test_every_task_is_judged_once_and_the_page_is_written_from_the_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "results.md"
    run_results(tmp_path / "results", Screen(), page, (SHOP,))
    text = page.read_text(encoding="utf-8")
    for part in ("repurchase, 56 days", f"churn, {CHURN_DAYS} days", "new_product, 28 days", "recommend, "):
        assert f"### tiny: {part}" in text
    assert "value, 90 days" not in text  # 145 days are too few for it
    assert "recsys simulate --profile mother-and-baby --members 60 --days 145 --seed 1 --out shop" in text
    (home,) = (tmp_path / "results" / "tiny").glob("home-*")
    reports = {file.stem: file.stat().st_mtime_ns for file in (home / "reports").glob("*.html")}
    assert {"repurchase", f"churn_{CHURN_DAYS}", "new_product", "recommend"} <= reports.keys()
    capsys.readouterr()
    page.with_suffix(".toml").write_text('[tiny]\nrepurchase = "Too few members to tell."\n', encoding="utf-8")
    run_results(tmp_path / "results", Screen(), page, (SHOP,))
    assert "recommend: there already" in capsys.readouterr().err
    assert {file.stem: file.stat().st_mtime_ns for file in (home / "reports").glob("*.html")} == reports
    assert "Why: Too few members to tell." in page.read_text(encoding="utf-8")
    page.unlink()
    run_results(tmp_path / "results", Screen(), page, (SHOP,), again=False)
    assert "Why: Too few members to tell." in page.read_text(encoding="utf-8")
