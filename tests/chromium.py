"""A real headless Chromium for tests: Debian's, with a font for Chinese; installed where missing and allowed."""

import functools
import logging
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.debian import install

INSTALL_WITHIN = 400
FONT = "fonts-noto-cjk"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser until the block ends. Skips, saying why, where none can be."""
    program = _program()
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@functools.cache
def _program() -> Path:
    found = _found() or _installed()
    if isinstance(found, Path):
        _write_chinese()
        return found
    pytest.skip(f"THE CONSOLE IS NOT TESTED HERE: {found}; run `apt-get install chromium` and test again")


def _found() -> Path | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return Path(path)
    return None


def _installed() -> Path | str:
    """Install Debian's package; return why not where that cannot be."""
    refused = install("chromium", within=INSTALL_WITHIN)
    if refused is not None:
        return refused
    return _found() or "apt-get installed chromium, but it is not to be found"


def _write_chinese() -> None:
    """Install a font that has Chinese characters, where there is none; without one they are drawn as boxes."""
    if _has_chinese():
        return
    refused = install(FONT, within=INSTALL_WITHIN)
    if refused is not None:
        logging.getLogger(__name__).warning("Chinese is drawn as boxes, as %s is missing: %s", FONT, refused)


def _has_chinese() -> bool:
    list_fonts = shutil.which("fc-list")
    if list_fonts is None:
        return False
    told = subprocess.run([list_fonts, ":lang=zh-cn"], capture_output=True, text=True, check=False, timeout=30)
    return bool(told.stdout.strip())
