"""An audience of a million members in a real browser: counted, cut, frozen, looked through and taken away.

`python -m tests.benchmarks.console --members 1000000 --home FOLDER` keeps the publication in the folder between runs.
Each step is told beside the service's own time for the same, asked without the console.
"""

import argparse
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from console.people import People
from recsys.artifacts.publication_write import write_publication
from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.keys import Role, create_key
from tests.audiences import NOW
from tests.benchmarks.machine import machine
from tests.browser.conftest import at, settled
from tests.browser.console import console_of
from tests.browser.mall import PASSWORD
from tests.chromium import chromium
from tests.crowd import crowd
from tests.serving_process import serve_command, serving

ROUNDS = 5
PERSON = "olga"
PAGE_ROWS = 20


@dataclass(frozen=True)
class Step:
    """What was done in the browser, and the same by the service alone; seconds. bare: None = nothing to set beside."""

    name: str
    browser: float
    bare: float | None
    more: str = ""


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        home = Home(asked.home or Path(aside) / "home")
        if not (home.publications / "CURRENT").is_file():
            write_publication(home.publications, crowd(asked.members))
        steps = measured(home, Path(aside))
    print(f"{asked.members:,} members; {machine()}")  # noqa: T201
    for step in steps:
        beside = "" if step.bare is None else f"the service alone {step.bare:.2f} s"
        print(f"{step.name:<50} {step.browser:7.2f} s  {beside:<28} {step.more}")  # noqa: T201


def measured(home: Home, aside: Path) -> list[Step]:
    """Drive the browser through one audience of everybody."""
    with database(home.database) as engine:
        key = create_key(engine, PERSON, Role.ADMIN, per_second=None, at=NOW)[1]
    People(home.root / "console" / "people.json").put(PERSON, PASSWORD, key)
    folders = [aside / name for name in ("service", "console")]
    for folder in folders:
        folder.mkdir()
    with (
        serving(serve_command(), home.root, folders[0]) as service,
        console_of(home, service.url, folders[1]) as console,
        chromium() as browser,
        httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {key}"}, timeout=240) as api,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(240_000)
        page = at(console.url, context).open("/audiences/new")
        expect.set_options(timeout=240_000)
        settled(page)
        return [*_previews(page, api), *_package(page, api)]


def _previews(page: Page, api: httpx.Client) -> list[Step]:
    """Change a rule, then the threshold, and see the count follow."""
    page.get_by_test_id("by-rule").click()
    count = page.get_by_test_id("preview-count").locator(".value")
    expect(count).to_have_text(f"{_counted(api, {'rule': {'all': [{'score': 'churn', 'min': 0.5}]}})[0]:,}")
    changed, bare, moved = list[float](), list[float](), list[float]()
    for nth in range(ROUNDS):
        low = 0.3 + nth / 50
        n, took = _counted(api, {"rule": {"all": [{"score": "churn", "min": low}]}})
        bare.append(took)
        with _timed(changed):
            page.get_by_test_id("field-min").fill(f"{low:g}")
            expect(count).to_have_text(f"{n:,}")
    slider = page.get_by_test_id("threshold").locator("[tabindex]").first
    page.get_by_test_id("field-min").fill("0")
    expect(count).to_have_text(f"{_counted(api, {'rule': {'all': [{'score': 'churn', 'min': 0}]}})[0]:,}")
    slider.focus()
    for _ in range(ROUNDS):
        before = count.inner_text()
        with _timed(moved):
            page.keyboard.press("PageUp")
            expect(count).not_to_have_text(before)
    waits = "of which 0.4 s wait for the last key"
    return [
        Step("a rule is changed until the count is there", median(changed), median(bare), waits),
        Step("the threshold is moved until the count is there", median(moved), median(bare), waits),
    ]


def _package(page: Page, api: httpx.Client) -> list[Step]:
    """Freeze everybody, page through them, and take them away."""
    page.get_by_test_id("leaf-score").get_by_test_id("remove").click()
    members = _counted(api, {"rule": {"all": []}})[0]
    expect(page.get_by_test_id("preview-count").locator(".value")).to_have_text(f"{members:,}")
    page.get_by_test_id("audience-name").fill(f"everybody {perf_counter():.0f}")
    made, turned = list[float](), list[float]()
    with _timed(made):
        page.get_by_test_id("create").click()
        expect(page.get_by_test_id("package-members").locator("tbody tr")).to_have_count(PAGE_ROWS)
    audience = page.url.rpartition("/")[2]
    place = page.get_by_test_id("package-place")
    for first in range(PAGE_ROWS + 1, PAGE_ROWS * (ROUNDS + 1), PAGE_ROWS):
        with _timed(turned):
            page.get_by_test_id("page-on").click()
            expect(place).to_contain_text(f"{first:,} to {first + PAGE_ROWS - 1:,} of")
    path = f"/audiences/{audience}/members"
    began = perf_counter()
    answer = api.get(path, params={"first": members // 2, "count": PAGE_ROWS})
    bare_page, size = perf_counter() - began, len(answer.content)
    rows = page.get_by_test_id("package-members").locator("tbody tr").count()
    return [
        Step("everybody is frozen, until who is in it is seen", made[0], None),
        Step("a page of the audience is turned", median(turned), bare_page, f"{size:,} bytes, {rows} rows on the page"),
        *(_export(page, api, audience, kind, name) for kind, name in (("csv", "CSV"), ("parquet", "Parquet"))),
    ]


def _export(page: Page, api: httpx.Client, audience: str, kind: str, name: str) -> Step:
    """Take everybody away, and note how far the bar was on the way."""
    began = perf_counter()
    with api.stream("GET", f"/audiences/{audience}/export", params={"format": kind, "arm": "all"}) as answer:
        whole = sum(len(piece) for piece in answer.iter_bytes())
    bare = perf_counter() - began
    page.reload()
    settled(page)
    page.get_by_test_id("export").click()
    dialog = page.get_by_test_id("export-dialog")
    dialog.get_by_role("button", name=re.compile(name)).click()
    dialog.get_by_role("button", name="All").click()
    far: set[float] = set()
    began = perf_counter()
    with page.expect_download() as download:
        page.get_by_test_id("export-go").click()
    while "done" not in page.get_by_test_id("export-far").inner_text():
        far.add(float(page.get_by_test_id("export-bar").get_attribute("aria-valuenow") or 0))
        page.wait_for_timeout(100)
    path = Path(download.value.path())
    took = perf_counter() - began
    assert path.stat().st_size == whole
    seen = sorted(one for one in far if 0 < one < 1)
    told = f"{whole / 1e6:,.0f} MB, the bar seen at {len(seen)} places between start and end"
    page.keyboard.press("Escape")
    return Step(f"everybody is exported as {name}", took, bare, told)


def _counted(api: httpx.Client, asked: dict[str, Any]) -> tuple[int, float]:
    began = perf_counter()
    answer = api.post("/audiences/preview", json={**asked, "sample": 10})
    took = perf_counter() - began
    answer.raise_for_status()
    return int(answer.json()["count"]), took


@contextmanager
def _timed(into: list[float]) -> Iterator[None]:
    began = perf_counter()
    yield
    into.append(perf_counter() - began)


if __name__ == "__main__":
    main()
