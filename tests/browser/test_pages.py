"""The main task of each page but the audiences', end to end, held against what the service says."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, settled
from tests.publications import MEMBERS, member_id, product_id

WHO = member_id(12)


def told(api: httpx.Client, path: str) -> Any:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_overview_shows_how_the_shop_stands(site: Site, api: httpx.Client) -> None:
    api.post("/recommend", json={"placement": "home", "member_id": WHO})
    now = told(api, "/overview")["now"]
    page = site.open("/")
    for tile, value in (
        ("tile-members", now["members"]),
        ("tile-active", now["active"]),
        ("tile-due", now["due_this_week"]),
        ("tile-risk", now["at_risk"]),
        ("tile-stake", round(now["money_at_stake"])),
    ):
        expect(page.get_by_test_id(tile).locator(".value")).to_have_text(f"{value:,}")
    expect(page.get_by_test_id("freshness")).to_contain_text("2025-03-31")
    expect(page.get_by_test_id("freshness")).to_contain_text("challenger waits")
    expect(page.get_by_test_id("publications").locator("svg").first).to_be_visible()
    expect(page.get_by_test_id("weeks").locator("svg").first).to_be_visible()
    expect(page.get_by_test_id("routes")).to_contain_text("history")
    assert now["members"] == MEMBERS - 1


def test_a_member_is_found_and_told_of(site: Site, api: httpx.Client) -> None:
    card = told(api, f"/members/{WHO}/predictions")
    page = site.open("/members")
    page.get_by_test_id("search").fill(WHO)
    page.get_by_test_id("find").click()
    expect(page.get_by_test_id("member-id")).to_have_text(WHO)
    settled(page)
    expect(page.get_by_test_id("tile-churn").locator(".value")).to_have_text(f"{card['churn']['score'] * 100:.1f}%")
    expect(page.get_by_test_id("risk")).to_contain_text(card["churn"]["why"][0]["en"])
    due = next(one for one in card["next_purchases"] if one["median_day"])
    day = page.locator(f'[data-day="{due["median_day"]}"]')
    expect(day).to_contain_text(due["category"])
    expect(page.get_by_test_id("next-purchases")).to_contain_text(f"{due['low_day']} … {due['high_day']}")


def test_a_member_is_recommended_to_with_reasons(site: Site, api: httpx.Client) -> None:
    answer = api.post("/recommend", json={"placement": "check_in", "member_id": WHO, "k": 10}).json()
    page = site.open(f"/members/{WHO}")
    page.get_by_test_id("tab-recommended").click()
    page.get_by_test_id("placement").click()
    page.get_by_role("option", name="Daily check-in page").click()
    settled(page)
    items = page.get_by_test_id("item")
    expect(items).to_have_count(len(answer["items"]))
    expect(items.first).to_contain_text(answer["items"][0]["name"])
    expect(items.first).to_contain_text(answer["items"][0]["reason"]["en"])


def test_a_members_timeline_has_purchases_and_can_be_narrowed(site: Site, api: httpx.Client) -> None:
    line = told(api, f"/members/{WHO}/timeline?limit=300")
    bought = [one for one in line["entries"] if one["kind"] == "purchase"]
    page = site.open(f"/members/{WHO}")
    page.get_by_test_id("tab-timeline").click()
    settled(page)
    expect(page.get_by_test_id("lines").locator(".line")).to_have_count(len(line["entries"]))
    page.get_by_role("button", name="Purchases").click()
    expect(page.get_by_test_id("lines").locator(".line")).to_have_count(len(bought))
    expect(page.get_by_test_id("lines").locator(".line").first).to_contain_text(bought[0]["product"]["name"])
    assert bought


def test_a_members_tags_are_told_with_their_changes(site: Site, api: httpx.Client) -> None:
    traits = told(api, f"/members/{WHO}/tags?history=true")
    page = site.open(f"/members/{WHO}")
    page.get_by_test_id("tab-tags").click()
    settled(page)
    expect(page.get_by_test_id("member-segments")).to_contain_text(traits["segments"]["lifecycle"])
    expect(page.get_by_test_id("tag-history").locator("tbody tr")).to_have_count(len(traits["history"]))
    assert traits["history"]


@pytest.mark.parametrize(("who", "shown"), [("nobody", "trouble-unknown"), (member_id(MEMBERS - 1), "empty")])
def test_an_unknown_member_and_one_who_opted_out_are_told(site: Site, who: str, shown: str) -> None:
    page = site.open(f"/members/{who}")
    expect(page.get_by_test_id(shown)).to_be_visible()
    expect(page.get_by_test_id("tile-churn")).to_have_count(0)


def test_the_card_fits_beside_a_chat(site: Site, api: httpx.Client) -> None:
    card = told(api, f"/members/{WHO}/predictions")
    page = site.open("/")
    page.set_viewport_size({"width": 360, "height": 720})
    page.goto(f"{site.url}/card/{WHO}")
    settled(page)
    due = next(one for one in card["next_purchases"] if one["median_day"])
    expect(page.get_by_test_id("card-due")).to_contain_text(due["category"])
    bought = next(one for one in told(api, f"/members/{WHO}/timeline")["entries"] if one["kind"].endswith("purchase"))
    expect(page.get_by_test_id("card-last")).to_contain_text(bought["product"]["name"])
    expect(page.get_by_test_id("item").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_placement_is_seen_as_a_member_with_what_each_rule_removed(site: Site, api: httpx.Client) -> None:
    ask = {"placement": "cart", "member_id": WHO, "k": 10, "context": {"products": [product_id(5)]}}
    answer = api.post("/placements/explain", json=ask).json()
    page = site.open("/placements")
    page.get_by_test_id("placement-cart").click()
    expect(page.get_by_test_id("policy-sources")).to_be_visible()
    page.get_by_test_id("preview-member").fill(WHO)
    page.get_by_test_id("preview-products").fill(product_id(5))
    page.get_by_test_id("preview-show").click()
    settled(page)
    expect(page.get_by_test_id("explained-items").get_by_test_id("item")).to_have_count(len(answer["answer"]["items"]))
    rules = {one["rule"]: one for one in answer["kept_out"]}
    assert "around" in rules
    assert "out_of_stock" in rules
    page.get_by_test_id("rule-out_of_stock").click()
    expect(page.get_by_test_id("rule-out_of_stock")).to_contain_text("product 6")
    expect(page.get_by_test_id("sources").locator("tbody tr")).to_have_count(len(answer["sources"]))


def test_segments_show_sizes_and_who_moved(site: Site, api: httpx.Client) -> None:
    segment = told(api, "/segments")["segments"][0]
    page = site.open("/segments")
    settled(page)
    lines = page.get_by_test_id("size-lines").locator("tbody tr")
    for part in segment["parts"]:
        if part["size"]:
            expect(lines.filter(has_text=part["en"]).first).to_contain_text(str(part["size"]))
    expect(page.get_by_test_id("movement")).to_contain_text("since 2025-03-17, 14 days")
    moved = segment["movement"]
    words = {part["code"]: part["en"] for part in segment["parts"]}
    drawn = page.get_by_test_id("sankey").locator("svg text")
    sides = [[sum(row) for row in moved["counts"]], [sum(column) for column in zip(*moved["counts"], strict=True)]]
    ends = [words[code] for side in sides for code, n in zip(moved["codes"], side, strict=True) if n]
    assert len(ends) > 4
    expect(drawn).to_have_count(len(ends))
    assert sorted(drawn.all_text_contents()) == sorted(ends)
    page.get_by_text("Movement matrix").click()
    line = page.get_by_test_id("matrix").locator("tbody tr").filter(has_text=words["loyal"]).locator("td")
    of_loyal = moved["counts"][moved["codes"].index("loyal")]
    assert line.all_inner_texts()[1 : 1 + len(words)] == [str(n) for n in of_loyal[: len(words)]]


def test_an_alert_tells_who_moved_more_than_usual(site: Site, api: httpx.Client) -> None:
    (alert,) = told(api, "/segments")["alerts"]
    page = site.open("/segments", language="zh")
    line = page.get_by_test_id("alert-lines").locator("tbody tr")
    expect(line).to_have_count(1)
    expect(line).to_contain_text(alert["zh"])
    cells = line.locator("td").all_inner_texts()
    assert cells[0] == alert["until"]
    assert cells[3:] == [str(alert["moved"]), f"{alert['expected']:.1f}", f"+{alert['rise'] * 100:.0f}%"]


def test_models_stand_side_by_side_and_operations_may_only_look(site: Site) -> None:
    page = site.open("/models?task=churn")
    settled(page)
    expect(page.get_by_test_id("metrics").first).to_contain_text("0.8400")
    expect(page.get_by_test_id("metrics").first).to_contain_text("0.8100")
    for plot in ("calibration", "gain"):
        expect(page.get_by_test_id(plot).first.locator("svg").first).to_be_visible()
    expect(page.get_by_test_id("promote")).to_have_count(0)
    expect(page.get_by_role("link", name="Open MLflow")).to_have_attribute("href", "http://127.0.0.1:5000")


def test_an_admin_promotes_and_rolls_back_with_a_reason_in_the_ledger(site: Site) -> None:
    page = site.open("/models?task=churn", person="ada")
    settled(page)
    _do(page, "promote", "")
    expect(page.get_by_test_id("confirm")).to_contain_text("A reason is needed")
    page.get_by_test_id("why").fill("better on two cutoffs")
    page.get_by_test_id("sure").click()
    expect(page.get_by_test_id("ledger-lines").first).to_contain_text("better on two cutoffs", timeout=120_000)
    expect(page.get_by_test_id("ledger-lines").first.locator("tbody tr").first).to_contain_text("ada")
    expect(page.get_by_test_id("standing").first).to_contain_text("version 2")
    _do(page, "roll-back", "complaints from the shops")
    expect(page.get_by_test_id("ledger-lines").first).to_contain_text("complaints from the shops", timeout=120_000)
    expect(page.get_by_test_id("promote").first).to_be_disabled()


def _do(page: Page, action: str, why: str) -> None:
    page.get_by_test_id(action).first.click()
    page.get_by_test_id("why").fill(why)
    page.get_by_test_id("sure").click()
