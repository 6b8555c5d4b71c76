"""What can be done without a pointer: the order of focus, that it is seen, and Enter and Escape."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, settled

WHERE = """() => {
    const at = document.activeElement;
    return at.getAttribute('data-test') || at.getAttribute('aria-label') || at.getAttribute('href') || at.tagName;
}"""
SEEN = """() => {
    const own = getComputedStyle(document.activeElement);
    const drawn = [own, ...[...document.querySelectorAll('.q-focusable, .q-field__control, .q-focus-helper')]
        .filter(one => document.activeElement.contains(one) || one.contains(document.activeElement))
        .flatMap(one => [getComputedStyle(one), getComputedStyle(one, '::after'), getComputedStyle(one, '::before')])];
    const outlined = own.outlineStyle !== 'none' && parseFloat(own.outlineWidth) >= 1;
    const bordered = drawn.some(one => one.borderColor.includes('10, 90, 156') && parseFloat(one.borderWidth) >= 1);
    return outlined || bordered;
}"""
"""Whether the element that has the focus is outlined, or is a field whose border has the accent's colour."""
WITHIN = "document.activeElement.closest('header.top, nav.side, main.main')?.tagName"
INSIDE = "document.activeElement.closest('.q-dialog') !== null"
"""Beside the body, which has the focus for one step after a page's last element, as then it is the browser's own."""


def focused(page: Page) -> str:
    return str(page.evaluate(WHERE))


@pytest.mark.parametrize("path", ["/", "/members", "/audiences", "/segments", "/placements"])
def test_whatever_can_be_used_is_reached_in_the_order_of_the_page_and_seen(site: Site, path: str) -> None:
    page = site.open(path)
    settled(page)
    page.evaluate("document.activeElement.blur()")
    reached, places = [], []
    for _ in range(60):
        page.keyboard.press("Tab")
        page.wait_for_timeout(40)
        if focused(page) == "BODY":
            break
        assert page.evaluate(SEEN), f"the focus is not seen on {focused(page)}"
        reached.append(focused(page))
        places.append(str(page.evaluate(WITHIN)))
    assert reached[0] == "#main", "the way past the navigation comes first"
    assert list(dict.fromkeys(one for one in places if one != "None")) == ["HEADER", "NAV", "MAIN"]
    assert len(reached) > 9


def test_a_dialog_takes_the_focus_keeps_it_and_is_left_by_escape(site: Site, api: httpx.Client) -> None:
    made = api.post("/audiences", json={"name": "by keys", "rule": {"score": "churn", "min": 0.1}}).json()
    page = site.open(f"/audiences/{made['audience_id']}")
    page.get_by_test_id("export").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_test_id("export-dialog")
    expect(dialog).to_be_visible()
    page.wait_for_function(INSIDE)
    for _ in range(12):
        page.keyboard.press("Tab")
        page.wait_for_function(f"document.activeElement === document.body || {INSIDE}")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_test_id("export")).to_be_focused()


def test_enter_confirms_and_escape_changes_nothing(site: Site) -> None:
    page = site.open("/models?task=value", person="ada")
    settled(page)
    page.get_by_test_id("task-churn").click()
    page.get_by_test_id("promote").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("why")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("confirm")).to_contain_text("A reason is needed")
    page.keyboard.type("not today")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    expect(page.get_by_test_id("standing").first).to_contain_text("version 1")


def test_an_audience_is_made_by_keys_alone(site: Site) -> None:
    page = site.open("/audiences")
    settled(page)
    reach(page, "new")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("audience-new")).to_be_visible()
    settled(page)
    reach(page, "scenario-win_back")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("preview-count")).to_be_visible()
    reach(page, "audience-name")
    page.keyboard.type("won back by keys")
    reach(page, "create")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("audience-title")).to_have_text("won back by keys")


def reach(page: Page, test: str) -> None:
    """Press Tab until an element has the focus, or lies around what has it."""
    inside = f"document.activeElement.closest('[data-test=\"{test}\"]') !== null"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(inside):
            return
    raise AssertionError(f"{test} cannot be reached by Tab")
