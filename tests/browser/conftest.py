"""The console over the real service, and a real browser before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.console import console_of
from tests.browser.mall import PASSWORD, Mall, build
from tests.chromium import chromium
from tests.serving_process import Running, serve_command, serving

HERE = Path(__file__).parent
WITHIN_MS = 30_000
WIDTH, HEIGHT = 1280, 900
LANG = {"zh": "zh-CN", "en": "en"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put these tests last: Playwright leaves an event loop running in the thread of all tests."""
    items.sort(key=lambda item: HERE in item.path.parents)


class Open(Protocol):
    """Opens a page of a path, as a person who is logged in, in a language."""

    def __call__(self, path: str = "/", *, person: str = "olga", language: str = "en") -> Page: ...


@dataclass(frozen=True)
class Site:
    """A browser at the console."""

    url: str
    open: Open


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def mall(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Mall:
    _ = browser  # without one there is nothing to make a mall for
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("RECSYS_DATABASE_URL", raising=False)
        return build(tmp_path_factory.mktemp("mall"))


@pytest.fixture(scope="package")
def service(mall: Mall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(serve_command(), mall.home.root, tmp_path_factory.mktemp("service")) as up:
        yield up


@pytest.fixture(scope="package")
def api(mall: Mall, service: Running) -> Iterator[httpx.Client]:
    """The service as olga's own programs see it."""
    headers = {"authorization": f"Bearer {mall.ops}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="package")
def console(mall: Mall, service: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with console_of(mall.home, service.url, tmp_path_factory.mktemp("console")) as up:
        yield up


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    opened.set_default_timeout(WITHIN_MS)
    yield opened
    opened.close()


@pytest.fixture
def site(console: Running, context: BrowserContext) -> Site:
    return at(console.url, context)


def at(url: str, context: BrowserContext) -> Site:
    """Stand before a console."""
    expect.set_options(timeout=WITHIN_MS)

    def open_page(path: str = "/", *, person: str = "olga", language: str = "en") -> Page:
        page = context.new_page()
        page.goto(f"{url}/logout")
        if page.locator("html").get_attribute("lang") != LANG[language]:
            page.get_by_test_id("language").click()
            expect(page.locator(f"html[lang={LANG[language]}]")).to_be_attached()
        log_in(page, person)
        expect(page.get_by_test_id("overview")).to_be_visible()
        if path != "/":
            page.goto(url + path)
        return page

    return Site(url, open_page)


def log_in(page: Page, person: str, password: str = PASSWORD) -> None:
    """Fill the form of the door and send it."""
    page.get_by_test_id("name").fill(person)
    page.get_by_test_id("password").fill(password)
    page.get_by_test_id("enter").click()


def settled(page: Page) -> None:
    """Wait until something stands on the page and the service has answered for all of it."""
    expect(page.locator("main .panel, main .state").first).to_be_visible()
    expect(page.get_by_test_id("loading")).to_have_count(0)
