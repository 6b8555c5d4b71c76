"""Logging in and out, the two languages, the keyboard, and what is shown when the service or the key is gone."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from recsys.store.database import database
from recsys.store.keys import KeyRow, revoke_key
from tests.browser.conftest import LANG, Site, at, log_in, settled
from tests.browser.console import console_of
from tests.browser.mall import PASSWORD, Mall
from tests.browser.wire import Wire
from tests.publications import member_id
from tests.serving_process import Running, free_port

PAGES = {
    "/": ("总览", "Overview"),
    "/members": ("会员", "Member"),
    "/audiences": ("人群", "Audiences"),
    "/audiences/new": ("新建人群", "New audience"),
    "/segments": ("分群", "Segments"),
    "/placements": ("推荐位", "Placements"),
    "/models": ("模型", "Models"),
}


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_page_that_was_asked_for(
    console: Running, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{console.url}/models")
    expect(page.get_by_test_id("login")).to_be_visible()
    for name, password in (("olga", "not the password"), ("nobody at all", PASSWORD)):
        log_in(page, name, password)
        expect(page.get_by_test_id("password")).to_have_value("")
        expect(page.get_by_test_id("wrong")).to_have_text("用户名或密码不正确")
    log_in(page, "olga")
    expect(page.get_by_test_id("models")).to_be_visible()
    assert page.url.endswith("/models")


def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(console: Running, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{console.url}/login")
    for n in range(5):
        log_in(page, "rex", f"wrong password {n}")
        expect(page.get_by_test_id("password")).to_have_value("")
    log_in(page, "rex")
    expect(page.get_by_test_id("wrong")).to_contain_text("30")
    expect(page.get_by_test_id("login")).to_be_visible()


@pytest.mark.parametrize("to", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"])
def test_logging_in_leads_nowhere_else(console: Running, context: BrowserContext, to: str) -> None:
    page = context.new_page()
    page.goto(f"{console.url}/login?to={to}")
    log_in(page, "olga")
    expect(page.get_by_test_id("overview")).to_be_visible()
    assert page.url == f"{console.url}/"


def test_whoever_logs_out_is_out(site: Site) -> None:
    page = site.open()
    page.get_by_test_id("person").click()
    page.get_by_test_id("log-out").click()
    expect(page.get_by_test_id("login")).to_be_visible()
    page.goto(f"{site.url}/members")
    expect(page.get_by_test_id("login")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_speaks_the_chosen_language(site: Site, language: str) -> None:
    page = site.open(language=language)
    for path, titles in PAGES.items():
        page.goto(site.url + path)
        expect(page.locator(f"html[lang={LANG[language]}]")).to_be_attached()
        expect(page.locator("h1")).to_have_text(titles[language == "en"])
        settled(page)
        expect(page.locator("[data-test^=trouble]")).to_have_count(0)


def test_one_switch_changes_the_language_and_it_stays(site: Site) -> None:
    page = site.open("/segments", language="zh")
    expect(page.locator("h1")).to_have_text("分群")
    page.get_by_test_id("language").click()
    expect(page.locator("h1")).to_have_text("Segments")
    page.get_by_test_id("nav-placements").click()
    expect(page.locator("h1")).to_have_text("Placements")


@pytest.mark.parametrize("width", [1280, 1920])
def test_no_page_is_wider_than_the_window(site: Site, width: int) -> None:
    page = site.open()
    page.set_viewport_size({"width": width, "height": 900})
    for path in (*PAGES, f"/members/{member_id(12)}"):
        page.goto(site.url + path)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_console_can_be_used_without_a_pointer(console: Running, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{console.url}/login")
    page.get_by_test_id("name").focus()
    page.keyboard.type("olga")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("overview")).to_be_visible()
    page.goto(f"{console.url}/")
    page.keyboard.press("Tab")
    assert _focused(page) == "#main"
    for _ in range(20):
        page.keyboard.press("Tab")
        if _focused(page).endswith("/placements"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("placements")).to_be_visible()


def test_a_revoked_key_is_told_on_every_page(site: Site, mall: Mall) -> None:
    page = site.open(person="lea")
    settled(page)
    expect(page.get_by_test_id("tile-members")).to_be_visible()
    with database(mall.home.database) as engine:
        revoke_key(engine, mall.lost.key_id, datetime.now(UTC))
    page.wait_for_timeout(2500)  # the service reads keys anew every second
    for path in ("/", "/audiences", "/segments", "/placements", "/models", f"/members/{member_id(12)}"):
        page.goto(site.url + path)
        expect(page.get_by_test_id("trouble-key").first).to_be_visible()
    page.get_by_test_id("trouble-key").get_by_role("button", name="Log out").first.click()
    expect(page.get_by_test_id("login")).to_be_visible()


def test_an_expired_key_is_told_and_an_export_with_it_gives_nothing_away(
    site: Site, mall: Mall, api: httpx.Client
) -> None:
    made = api.post("/audiences", json={"name": "for eva", "rule": {"score": "churn", "min": 0.1}}).json()
    page = site.open(f"/audiences/{made['audience_id']}", person="eva")
    settled(page)
    page.get_by_test_id("export").click()
    with database(mall.home.database) as engine, engine.begin() as connection:
        ended = update(KeyRow).where(KeyRow.key_id == mall.short.key_id)
        connection.execute(ended.values(expires_at=datetime.now(UTC).replace(tzinfo=None)))
    page.wait_for_timeout(2500)  # the service reads keys anew every second
    page.get_by_test_id("export-go").click()
    expect(page.get_by_test_id("export-far")).to_contain_text("broken off")
    expect(page.locator(".q-notification")).to_contain_text("no longer valid")
    page.goto(f"{site.url}/segments")
    expect(page.get_by_test_id("trouble-key")).to_contain_text("It expired or was revoked")


def test_a_key_of_too_small_a_role_is_told(site: Site, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/login")
    log_in(page, "mona")
    expect(page.get_by_test_id("trouble-role")).to_be_visible()


def test_a_dead_service_is_told_and_asked_again(mall: Mall, context: BrowserContext, tmp_path: Path) -> None:
    with console_of(mall.home, f"http://127.0.0.1:{free_port()}", tmp_path) as up:
        site = at(up.url, context)
        page = site.open()
        for path in (
            "/",
            "/audiences",
            "/audiences/new",
            "/segments",
            "/placements",
            "/models",
            "/members/x",
            "/card/x",
        ):
            page.goto(site.url + path)
            expect(page.get_by_test_id("trouble-down")).to_be_visible()
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_test_id("trouble-down")).to_be_visible()


def test_a_service_that_comes_back_is_shown_again(
    mall: Mall, service: Running, context: BrowserContext, tmp_path: Path
) -> None:
    wire = Wire(urlsplit(service.url).port or 0)
    wire.mend()
    with console_of(mall.home, wire.url, tmp_path) as up:
        page = at(up.url, context).open("/audiences/new")
        settled(page)
        page.get_by_test_id("by-rule").click()
        expect(page.get_by_test_id("preview-count")).to_be_visible()
        wire.cut()
        page.get_by_test_id("field-min").fill("0.3")
        expect(page.get_by_test_id("preview").get_by_test_id("trouble-down")).to_be_visible()
        page.get_by_test_id("audience-name").fill("made while nobody listens")
        page.get_by_test_id("create").click()
        expect(page.locator(".q-notification")).to_contain_text("The service cannot be reached")
        expect(page.get_by_test_id("create")).to_be_enabled()
        wire.mend()
        page.get_by_test_id("preview").get_by_role("button", name="Try again").click()
        expect(page.get_by_test_id("preview-count")).to_be_visible()
        expect(page.get_by_test_id("audience-name")).to_have_value("made while nobody listens")
        wire.cut()
        page.goto(f"{up.url}/segments")
        expect(page.get_by_test_id("trouble-down")).to_be_visible()
        wire.mend()
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_test_id("sizes").first).to_be_visible()
        wire.cut()


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('href') || ''"))
