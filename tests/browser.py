"""A real Chromium for tests of pages. Where there is none they are skipped, and counted; REQUIRE_BROWSER=1 fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from worktool_ai.bootstrap import find_browser

__all__ = ["needs_browser", "new_page", "running_browser"]

CHROMIUM = find_browser()
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Give it to ``pytestmark`` of a module whose tests drive a browser.
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("REQUIRE_BROWSER") != "1", reason="no Chromium on this machine"
    ),
]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser without a profile for the length of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


def new_page(browser: Browser, errors: list[str]) -> Page:
    """Open an empty page of a visitor of its own; script errors of all its documents end in ``errors``."""
    page = browser.new_context().new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page
