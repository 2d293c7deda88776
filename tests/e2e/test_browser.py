"""A person types in the simulator's chat page; the answer appears there, and both lines in the panel, by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_browser, new_page, running_browser
from tests.e2e.stack import ANSWER_S, Stack

pytestmark = needs_browser

ROOM = "浏览器群"
QUESTION = "如何退款？<b>急</b>"
PATIENCE_MS = ANSWER_S * 1000


@dataclass
class Pages:
    chat: Page
    panel: Page


@pytest.fixture
def pages(stack: Stack) -> Iterator[Pages]:
    """The chat page and, signed in, the panel, each a visitor of its own; a script error in either fails the test."""
    errors: list[str] = []
    with running_browser() as browser:
        pages = Pages(new_page(browser, errors), new_page(browser, errors))
        open_chat(stack, pages.chat)
        sign_in(stack, pages.panel)
        yield pages
    assert errors == []


def open_chat(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.simulator.url}/#token={stack.simulator.token}")
    page.wait_for_selector("#link-state.good")
    page.fill("#new-name", ROOM)
    page.click("#new-chat button")


def sign_in(stack: Stack, page: Page) -> None:
    """Come to the panel as a stranger does: asked to sign in, and led there afterwards."""
    run = stack.run_file()
    page.goto(stack.url)
    page.fill("input[name=username]", run["admin_user"])
    page.fill("input[name=password]", run["admin_password"])
    page.click("button[type=submit]")
    page.wait_for_selector("#stream[aria-busy=false]")


def test_a_typed_line_and_its_answer_appear_in_chat_and_panel_without_a_reload(pages: Pages) -> None:
    pages.panel.evaluate("window.loadedOnce = true")
    began = time.monotonic()
    pages.chat.fill("#text", QUESTION)
    pages.chat.press("#text", "Enter")

    answer = pages.chat.locator(".said.robot .bubble").first
    expect(answer).to_be_visible(timeout=PATIENCE_MS)
    print(f"\nanswered in the chat page after {time.monotonic() - began:.2f} s (promised: 5 s)")
    text = answer.inner_text().removeprefix("@张三").strip()

    cards = pages.panel.locator("#lines .line").filter(has_text=ROOM)
    expect(cards.filter(has_text=QUESTION)).to_have_count(1, timeout=PATIENCE_MS)
    expect(cards.locator(".line__text").get_by_text(text)).to_have_count(1, timeout=PATIENCE_MS)
    print(f"both lines in the panel after {time.monotonic() - began:.2f} s")
    expect(cards.locator(".badge[data-state=replied]")).to_have_count(2, timeout=PATIENCE_MS)
    assert pages.panel.evaluate("window.loadedOnce"), "the panel was loaded again"
