"""A real headless Chromium for tests: Debian's, installed where it is missing and may be."""

import functools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

INSTALL_WITHIN = 400
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
    apt = shutil.which("apt-get")
    if apt is None:
        return "there is no chromium and no apt-get"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and shutil.which("sudo") is None:
        return "there is no chromium and only root may install it"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    deadline = time.monotonic() + INSTALL_WITHIN
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        left = max(1.0, deadline - time.monotonic())
        try:
            done = subprocess.run(
                [*as_root, apt, *command], env=quiet, capture_output=True, text=True, timeout=left, check=False
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {command[0]} took longer than {INSTALL_WITHIN} seconds"
        if done.returncode:
            return f"apt-get {command[0]} failed: {done.stderr.strip()[-200:]}"
    return _found() or "apt-get installed chromium, but it is not to be found"
