"""The main task of each page on the sample: real purchases, trained models, two publications."""

import csv
import io
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from console.people import People
from recsys.artifacts.publication import Publication
from recsys.core.config import Home
from tests.browser.actions import counted, exported
from tests.browser.conftest import Site, at, settled
from tests.browser.console import console_of
from tests.browser.mall import PASSWORD
from tests.browser.sample import DAYS, make_sample_home
from tests.serving_process import Running, serve_command, serving

pytestmark = pytest.mark.slow
SEEDS = 40


@pytest.fixture(scope="module")
def home(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Home:
    _ = browser  # without one there is nothing to make a home for
    root = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("RECSYS_DATABASE_URL", raising=False)
        made = Home(root / "home")
        make_sample_home(made, root / "files")
    People(made.root / "console" / "people.json").put("olga", PASSWORD, "")
    return made


@pytest.fixture(scope="module")
def service(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(serve_command(), home.root, tmp_path_factory.mktemp("service")) as up:
        yield up


@pytest.fixture(scope="module")
def api(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def console(home: Home, service: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with console_of(home, service.url, tmp_path_factory.mktemp("console")) as up:
        yield up


@pytest.fixture(scope="module")
def households(home: Home) -> list[str]:
    """Those with most categories to buy again first."""
    publication = Publication.open_current(home.publications)
    lengths = publication.repurchase.start[1:] - publication.repurchase.start[:-1]
    return [publication.members.text(row) for row in lengths.argsort()[::-1].tolist()]


@pytest.fixture
def site(console: Running, context: BrowserContext) -> Site:
    return at(console.url, context)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_overview_tells_how_the_shop_stands(site: Site, api: httpx.Client, language: str) -> None:
    told = api.get("/overview").json()
    page = site.open("/", language=language)
    settled(page)
    for tile in ("members", "active", "due_this_week", "at_risk"):
        name = {"due_this_week": "due", "at_risk": "risk"}.get(tile, tile)
        expect(page.get_by_test_id(f"tile-{name}").locator(".value")).to_have_text(f"{told['now'][tile]:,}")
    assert [one["as_of"] for one in (*told["before"], told["now"])] == list(DAYS)
    expect(page.get_by_test_id("freshness")).to_contain_text(DAYS[-1])


def test_a_household_is_told_of_from_tags_to_recommendations(
    site: Site, api: httpx.Client, households: list[str]
) -> None:
    who = households[0]
    card = api.get(f"/members/{who}/predictions").json()
    answer = api.post("/recommend", json={"placement": "home", "member_id": who, "k": 10}).json()
    page = site.open("/members")
    page.get_by_test_id("search").fill(who)
    page.keyboard.press("Enter")
    settled(page)
    expect(page.get_by_test_id("tile-churn").locator(".value")).to_have_text(f"{card['churn']['score'] * 100:.1f}%")
    expect(page.get_by_test_id("next-purchases")).to_contain_text(card["next_purchases"][0]["category"])
    page.get_by_test_id("tab-recommended").click()
    expect(page.get_by_test_id("item")).to_have_count(len(answer["items"]))
    expect(page.get_by_test_id("item").first).to_contain_text(answer["items"][0]["reason"]["en"])
    page.get_by_test_id("tab-timeline").click()
    expect(page.get_by_test_id("lines").locator(".line").first).to_be_visible()


def test_a_scenario_becomes_a_file_of_households(site: Site, api: httpx.Client) -> None:
    told = api.post("/audiences/preview", json={"template": "win_back", "answers": {"silent_days": 30}}).json()
    page = site.open("/audiences/new")
    settled(page)
    page.get_by_test_id("scenario-win_back").click()
    page.get_by_test_id("answer-silent_days").fill("30")
    counted(page, told["count"])
    assert told["count"] > 0
    page.get_by_test_id("audience-name").fill("silent for a month")
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("audience-title")).to_have_text("silent for a month")
    detail = api.get(f"/audiences/{page.url.rpartition('/')[2]}").json()["versions"][0]
    rows = list(csv.DictReader(io.StringIO(exported(page, "CSV (spreadsheets)", "All").decode("utf-8-sig"))))
    assert len(rows) == detail["counts"]["members"] > 0
    assert {row["arm"] for row in rows} <= {"treated", "held_out"}


def test_members_like_a_list_are_found(site: Site, api: httpx.Client, households: list[str]) -> None:
    seeds = households[:SEEDS]
    told = api.post("/audiences/lookalike", json={"members": seeds, "size": 25, "shown": 10}).json()
    page = site.open("/audiences/new", language="zh")
    settled(page)
    page.get_by_test_id("by-alike").click()
    page.get_by_test_id("seeds").fill("\n".join([*seeds, "nobody"]))
    page.get_by_test_id("alike-size").fill("25")
    counted(page, told["count"])
    expect(page.get_by_test_id("preview-count")).to_contain_text(f"{SEEDS} 位已知，1 位未知")
    found = page.get_by_test_id("sample").locator("tbody tr td:first-child").all_inner_texts()
    assert found == [one["member_id"] for one in told["members"]]
    assert not set(found) & set(seeds)
    page.get_by_test_id("audience-name").fill("像大户的会员")
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("audience-title")).to_have_text("像大户的会员")
    expect(page.get_by_test_id("counts")).to_contain_text("规则选中25")


def test_segments_move_placements_explain_and_models_stand(
    site: Site, api: httpx.Client, households: list[str]
) -> None:
    page = site.open("/segments")
    settled(page)
    lifecycle = api.get("/segments").json()["segments"][0]
    expect(page.get_by_test_id("sankey").first.locator("svg text").first).to_be_visible()
    assert sum(map(sum, lifecycle["movement"]["counts"])) >= sum(part["size"] for part in lifecycle["parts"])
    ask = {"placement": "home", "member_id": households[0], "k": 10}
    explained = api.post("/placements/explain", json=ask).json()
    page.goto(f"{site.url}/placements")
    page.get_by_test_id("preview-member").fill(households[0])
    page.get_by_test_id("preview-show").click()
    expect(page.get_by_test_id("explained-items").get_by_test_id("item")).to_have_count(
        len(explained["answer"]["items"])
    )
    for rule in explained["kept_out"]:
        expect(page.get_by_test_id(f"rule-{rule['rule']}")).to_contain_text(str(rule["count"]))
    page.goto(f"{site.url}/models?task=churn")
    settled(page)
    _drawn(page, "calibration", "gain")


def _drawn(page: Page, *charts: str) -> None:
    for chart in charts:
        expect(page.get_by_test_id(chart).first.locator("svg").first).to_be_visible()
