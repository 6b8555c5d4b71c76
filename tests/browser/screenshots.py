"""A picture of every page of the console over a simulated shop; the first run trains its models and takes minutes."""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from console.people import People
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from recsys.core.errors import RecsysError
from tests.browser.conftest import LANG, log_in, settled
from tests.browser.console import console_of
from tests.chromium import chromium
from tests.serving_process import serve_command, serving

WIDTH, HEIGHT = 1280, 800
WIDTHS = (WIDTH, 1920)
CARD = 420
LARGEST = 300_000
SHOWN = ("overview", "member", "audience-new")
"""Pages whose pictures the README shows."""
SHOWN_IN = "en"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
MEMBERS, DAYS = "300", "400"
PUBLISHED = ("2025-08-20", "2025-09-03", "2025-09-17", "2025-10-01")
PERSON = "olga"


@dataclass(frozen=True)
class Picture:
    """A page and what is done on it before it is taken. width: of the window where it is always the same."""

    name: str
    path: str
    prepare: Callable[[Page], None] = settled
    width: int | None = None


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Home.default().root / "screenshots" / "home")
    parser.add_argument("--language", choices=sorted(LANG), action="append", help="default: all")
    parser.add_argument("--width", type=int, action="append", help="default: 1280 and 1920")
    parser.add_argument("--only", action="append", help="names of pictures; default: all")
    asked = parser.parse_args()
    out = Home.default().root / "screenshots"
    out.mkdir(parents=True, exist_ok=True)
    home = Home(asked.home)
    if not published(home):
        shutil.rmtree(home.root, ignore_errors=True)
        make_shop(home, out / "shop")
    looks = [(language, width) for language in asked.language or LANG for width in asked.width or WIDTHS]
    take(home, out, looks, asked.only)


def published(home: Home) -> bool:
    """Whether there is a shop that this version can read."""
    try:
        Publication.open_current(home.publications)
    except RecsysError:
        return False
    return True


def make_shop(home: Home, folder: Path) -> None:
    """Invent a shop, train its models and publish some days of it."""
    shutil.rmtree(folder, ignore_errors=True)
    command(
        [*["simulate", "--profile", "grocery", "--members"], MEMBERS, "--days", DAYS, "--out", str(folder)],
        home,
        Path.cwd(),
    )
    command(["ingest"], home, folder)
    command(["train", "all", "--promote"], home, folder)
    with (folder / "recsys.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tasks.churn.model]\npenalty = 60.0\n")
    command(["train", "churn"], home, folder)
    for day in PUBLISHED:
        command(["publish", "--as-of", day], home, folder)


def command(arguments: list[str], home: Home, folder: Path) -> None:
    """Run the `recsys` command on a home, in the folder of a shop."""
    program = str(Path(sys.executable).with_name("recsys"))
    environment = {**os.environ, "RECSYS_HOME": str(home.root)}
    subprocess.run([program, *arguments], cwd=folder, env=environment, check=True)


def take(home: Home, out: Path, looks: Sequence[tuple[str, int]], only: Sequence[str] | None) -> None:
    """Open every page in a browser and keep its picture. looks: language and width. only: names; None = all."""
    password = secrets.token_urlsafe(12)
    People(home.root / "console" / "people.json").put(PERSON, password, "")
    expect.set_options(timeout=60_000)
    with (
        tempfile.TemporaryDirectory() as name,
        serving(serve_command(), home.root, folder_in(name, "service")) as service,
        console_of(home, service.url, folder_in(name, "console")) as console,
        chromium() as browser,
    ):
        member = visit_placements(home, service.url)
        for language, width in looks:
            page = browser.new_page(viewport={"width": width, "height": HEIGHT})
            page.goto(f"{console.url}/login")
            if page.locator("html").get_attribute("lang") != LANG[language]:
                page.get_by_test_id("language").click()
                expect(page.locator(f"html[lang={LANG[language]}]")).to_be_attached()
            if not only or "login" in only:
                shoot(page, out / f"login-{language}-{width}.png", width)
            log_in(page, PERSON, password)
            expect(page.get_by_test_id("overview")).to_be_visible()
            for picture in pictures(member):
                if only and picture.name not in only:
                    continue
                seen = picture.width or width
                page.set_viewport_size({"width": seen, "height": HEIGHT})
                page.goto(console.url + picture.path)
                picture.prepare(page)
                settled(page)
                shoot(page, out / f"{picture.name}-{language}-{width}.png", seen)
            page.context.close()
    if (SHOWN_IN, WIDTH) in looks and not only:
        show(out)


def show(out: Path) -> None:
    """Put into the documentation what the README shows."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for name in SHOWN:
        made = out / f"{name}-{SHOWN_IN}-{WIDTH}.png"
        if made.stat().st_size >= LARGEST:
            raise SystemExit(f"{made} is larger than {LARGEST} bytes")
        shutil.copyfile(made, DOCS / f"{name}.png")


def pictures(member: str) -> tuple[Picture, ...]:
    """List the pages."""
    return (
        Picture("overview", "/"),
        Picture("member-none", "/members"),
        Picture("member", f"/members/{member}"),
        Picture("member-recommended", f"/members/{member}", lambda page: tab(page, "recommended")),
        Picture("member-timeline", f"/members/{member}", lambda page: tab(page, "timeline")),
        Picture("member-tags", f"/members/{member}", lambda page: tab(page, "tags")),
        Picture("member-unknown", "/members/nobody"),
        Picture("card", f"/card/{member}", width=CARD),
        Picture("audience-new", "/audiences/new", scenario),
        Picture("audience-rule", "/audiences/new", rule),
        Picture("audience-alike", "/audiences/new", alike),
        Picture("audience", "/audiences/new", create),
        Picture("audience-export", "/audiences", export),
        Picture("audiences", "/audiences"),
        Picture("audit", "/audit"),
        Picture("segments", "/segments"),
        Picture("placements", "/placements", lambda page: preview(page, member)),
        Picture("models", "/models?task=churn"),
    )


def shoot(page: Page, path: Path, width: int) -> None:
    """Keep a picture of the whole page, however high it is."""
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(height, HEIGHT)})
    page.mouse.move(0, 0)
    page.wait_for_timeout(1200)  # charts draw themselves for some tenths of a second
    page.screenshot(path=path)


def tab(page: Page, name: str) -> None:
    """Open a part of the member's page."""
    settled(page)
    page.get_by_test_id(f"tab-{name}").click()
    page.wait_for_timeout(1500)


def scenario(page: Page) -> None:
    """Answer the first questions of a scenario."""
    settled(page)
    page.get_by_test_id("scenario-repurchase_reminder").click()
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    page.get_by_test_id("threshold").locator("[tabindex]").first.focus()
    for _ in range(7):
        page.keyboard.press("PageUp")
        page.wait_for_timeout(200)
    page.wait_for_timeout(1500)


def rule(page: Page) -> None:
    """Write a rule."""
    settled(page)
    page.get_by_test_id("by-rule").click()
    for kind in ("bought", "contacted"):
        page.get_by_test_id("add").first.click()
        page.get_by_test_id(f"add-{kind}").click()
        expect(page.get_by_test_id(f"leaf-{kind}")).to_be_visible()
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    page.wait_for_timeout(1500)


def create(page: Page) -> None:
    """Freeze an audience."""
    settled(page)
    page.get_by_test_id("scenario-win_back").click()
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    page.get_by_test_id("audience-name").fill(f"Win-back {secrets.token_hex(2)}")
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("package-members")).to_be_visible()


def alike(page: Page) -> None:
    """Ask for members like those of a list."""
    settled(page)
    page.get_by_test_id("by-alike").click()
    page.get_by_test_id("seeds").fill("\n".join(f"M{n:08d}" for n in range(20, 80)))
    page.get_by_test_id("alike-size").fill("50")
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    page.wait_for_timeout(1500)


def export(page: Page) -> None:
    """Open the dialog of an export."""
    settled(page)
    page.get_by_test_id("audience-list").get_by_role("link").first.click()
    settled(page)
    page.get_by_test_id("export").click()
    expect(page.get_by_test_id("export-dialog")).to_be_visible()


def preview(page: Page, member: str) -> None:
    """See a placement as a member."""
    settled(page)
    page.get_by_test_id("preview-member").fill(member)
    page.get_by_test_id("preview-show").click()
    expect(page.get_by_test_id("explained-items")).to_be_visible()


def visit_placements(home: Home, api: str) -> str:
    """Recommend to some members and visitors, so that there is something to count; return a member with a history."""
    publication = Publication.open_current(home.publications)
    lengths = publication.repurchase.start[1:] - publication.repurchase.start[:-1]
    busy = [publication.members.text(row) for row in lengths.argsort()[::-1][:24].tolist()]
    for place in ("home", "check_in"):
        for member in (*busy, None, None, None):
            httpx.post(f"{api}/recommend", json={"placement": place, "member_id": member, "k": 6}, timeout=30)
    return busy[len(busy) // 2]


def folder_in(folder: str, name: str) -> Path:
    """Make a folder."""
    made = Path(folder) / name
    made.mkdir()
    return made


if __name__ == "__main__":
    main()
