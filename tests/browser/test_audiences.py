"""Audiences from the first question to the exported file, held against what the service says."""

import csv
import io
import re

import httpx
from playwright.sync_api import Page, expect

from tests.browser.actions import counted, exported
from tests.browser.conftest import Site, settled
from tests.publications import member_id


def preview(api: httpx.Client, **asked: object) -> httpx.Response:
    return api.post("/audiences/preview", json=asked)


def choose(page: Page, field: str, *names: str) -> None:
    """Choose some of what a field offers."""
    page.get_by_test_id(field).click()
    for name in names:
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")


def test_a_scenario_is_answered_previewed_cut_frozen_and_exported(site: Site, api: httpx.Client) -> None:
    answers = {"categories": ["category 3"], "within": 28, "chance": 0.2, "rest_days": 0}
    told = preview(api, template="repurchase_reminder", answers=answers).json()
    page = site.open("/audiences/new")
    settled(page)
    page.get_by_test_id("scenario-repurchase_reminder").click()
    choose(page, "answer-categories", "category 3")
    page.get_by_test_id("answer-within").get_by_role("button", name="28 days").click()
    page.get_by_test_id("answer-chance").fill("0.2")
    page.get_by_test_id("answer-rest_days").fill("0")
    counted(page, told["count"])
    expect(page.get_by_test_id("rule-words")).to_have_text(told["rule_en"])
    expect(page.get_by_test_id("sample").locator("tbody tr")).to_have_count(min(told["count"], 10))

    slider = page.get_by_test_id("threshold")
    slider.locator("[tabindex]").first.focus()
    for tenth in range(1, 9):
        page.keyboard.press("PageUp")
        expect(slider).to_have_attribute("aria-valuenow", f"{tenth / 10:g}")
    threshold = 0.8
    cut = preview(api, template="repurchase_reminder", answers=answers, threshold=threshold).json()
    assert 0 < cut["count"] < told["count"]
    counted(page, cut["count"])

    page.get_by_test_id("audience-name").fill("due in category 3")
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("audience-title")).to_have_text("due in category 3")
    audience = page.url.rpartition("/")[2]
    detail = api.get(f"/audiences/{audience}").json()["versions"][0]
    counts = detail["counts"]
    assert counts["picked"] == cut["count"]
    assert detail["created_by"] == "olga"
    expect(page.get_by_test_id("counts")).to_contain_text(f"In the package{counts['members']}")
    expect(page.get_by_test_id("lineage")).to_contain_text(told["rule_en"])

    rows = list(csv.DictReader(io.StringIO(exported(page, "CSV (spreadsheets)", "Treated").decode("utf-8-sig"))))
    assert len(rows) == counts["treated"]
    assert {row["arm"] for row in rows} == {"treated"}


def test_a_rule_is_built_its_mistakes_are_shown_where_they_are_and_it_gets_a_next_version(
    site: Site, api: httpx.Client
) -> None:
    rule = {
        "all": [
            {"tag": "tenure_days", "min": 100},
            {"not": {"any": [{"segment": "lifecycle", "is": ["lost"]}]}},
        ]
    }
    told = preview(api, rule=rule).json()
    page = site.open("/audiences/new")
    settled(page)
    page.get_by_test_id("by-rule").click()
    page.get_by_test_id("leaf-score").get_by_test_id("remove").click()
    expect(page.get_by_test_id("leaf-score")).to_have_count(0)
    add(page, 0, "tag")
    page.get_by_test_id("tag-name").click()
    page.get_by_role("option", name=re.compile("tenure", re.IGNORECASE)).first.click()
    leaf = page.get_by_test_id("leaf-tag")
    leaf.get_by_test_id("field-min").fill("100")
    leaf.get_by_test_id("field-max").fill("50")
    expect(leaf.get_by_test_id("rule-error")).to_have_text("must be above min")
    leaf.get_by_test_id("field-max").fill("")
    expect(page.get_by_test_id("rule-error")).to_have_count(0)
    add(page, 0, "group")
    turn(page, 1, "none of")
    add(page, 0, "segment")
    choose(page, "segment-values", "new", "lost")
    counted(page, told["count"])

    page.get_by_test_id("audience-name").fill("members who stay")
    page.get_by_test_id("hold-out").fill("0")
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("audience-title")).to_have_text("members who stay")
    page.get_by_test_id("new-version").click()
    settled(page)
    expect(page.get_by_test_id("leaf-tag").get_by_test_id("field-min")).to_have_value("100")
    page.get_by_test_id("leaf-tag").get_by_test_id("field-min").fill("200")
    fewer = preview(api, rule={"all": [{"tag": "tenure_days", "min": 200}, rule["all"][1]]}).json()
    counted(page, fewer["count"])
    page.get_by_test_id("create").click()
    expect(page.get_by_test_id("version-lines").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_test_id("counts")).to_contain_text(f"Picked{fewer['count']}")


def add(page: Page, group: int, kind: str) -> None:
    """Add a condition to a group; those inside come before the one around them."""
    page.get_by_test_id("add").nth(group).click()
    page.get_by_test_id(f"add-{kind}").click()


def turn(page: Page, group: int, kind: str) -> None:
    """Let another share of a group's conditions be met, and wait until the rule was drawn anew: that closes menus."""
    drawn = page.get_by_test_id("add").first.element_handle()
    page.get_by_role("button", name=kind).nth(group).click()
    page.wait_for_function("drawn => !drawn.isConnected", arg=drawn)


def test_a_name_that_is_taken_or_missing_is_told(site: Site, api: httpx.Client) -> None:
    made = api.post("/audiences", json={"name": "taken", "rule": {"score": "churn", "min": 0.1}})
    assert made.status_code == 201
    page = site.open("/audiences/new")
    settled(page)
    page.get_by_test_id("by-rule").click()
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    page.get_by_test_id("create").click()
    expect(page.get_by_text("A name is needed")).to_be_visible()
    page.get_by_test_id("audience-name").fill("taken")
    page.get_by_test_id("create").click()
    expect(page.get_by_text("is the name of audience")).to_be_visible()


def test_a_list_that_is_too_short_to_find_members_like_it_is_told(site: Site) -> None:
    page = site.open("/audiences/new")
    settled(page)
    page.get_by_test_id("by-alike").click()
    page.get_by_test_id("seeds").fill("\n".join(member_id(n) for n in range(20, 34)))
    expect(page.get_by_test_id("preview").get_by_test_id("trouble-refused")).to_contain_text("30 or more")


def test_audiences_are_listed_and_found_and_the_log_knows_who_did_what(site: Site, api: httpx.Client) -> None:
    api.post("/audiences", json={"name": "to be found", "rule": {"score": "churn", "min": 0.2}})
    page = site.open("/audiences")
    page.get_by_test_id("find-audience").fill("to be f")
    expect(page.get_by_test_id("audience-list").locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="to be found").click()
    expect(page.get_by_test_id("audience-title")).to_have_text("to be found")
    assert len(exported(page, "JSON lines", "All").splitlines()) > 0
    page.goto(f"{site.url}/audit")
    expect(page.get_by_test_id("trouble-role")).to_be_visible()
    page = site.open("/audit", person="ada")
    lines = page.get_by_test_id("audit-lines").locator("tbody tr")
    expect(lines.filter(has_text="olga").filter(has_text="ended an export").first).to_be_visible()
    expect(lines.filter(has_text="olga").filter(has_text="viewed").first).to_be_visible()
