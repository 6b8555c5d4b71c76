"""What people do on more than one page."""

from pathlib import Path

from playwright.sync_api import Page, expect


def counted(page: Page, n: int) -> None:
    """Wait until the preview counts so many."""
    expect(page.get_by_test_id("preview-count").locator(".value")).to_have_text(f"{n:,}")


def exported(page: Page, kind: str, arm: str) -> bytes:
    """Export the audience that is on the page and return the file."""
    page.get_by_test_id("export").click()
    page.get_by_test_id("export-dialog").get_by_role("button", name=kind).click()
    page.get_by_test_id("export-dialog").get_by_role("button", name=arm).click()
    with page.expect_download() as download:
        page.get_by_test_id("export-go").click()
    expect(page.get_by_test_id("export-far")).to_contain_text("done")
    return Path(download.value.path()).read_bytes()
