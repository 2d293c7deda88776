"""From a robotId to the first shadow draft by the page alone: each problem is found, explained and fixed by a click."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import needs_browser, new_page, running_browser
from tests.e2e.stack import ANSWER_S, Stack

pytestmark = needs_browser

ROBOT_ID = "wt-connect-page-robot"
ROBOT_KEY = "key-of-the-connect-page"
ELSEWHERE = "http://127.0.0.1:9/another-system/message"
ROOM = "接入测试群"
QUESTION = "请问怎么退款？"
PATIENCE_MS = ANSWER_S * 1000


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """The page for adding robots, signed in, in Chinese; a script error fails the test."""
    errors: list[str] = []
    run = stack.run_file()
    with running_browser() as browser:
        page = new_page(browser, errors)
        page.goto(f"{stack.url}/admin/robots/robot/connect/")
        page.fill("input[name=username]", run["admin_user"])
        page.fill("input[name=password]", run["admin_password"])
        page.click("button[type=submit]")
        yield page
    assert errors == []


def row(page: Page, key: str) -> Locator:
    return page.locator(f".connect__check[data-row={key}]")


def expect_state(page: Page, key: str, state: str, *words: str) -> None:
    """Wait for a check to stand so, and to say it in these words."""
    check = row(page, key)
    expect(check).to_have_attribute("data-state", state, timeout=PATIENCE_MS)
    for word in words:
        expect(check).to_contain_text(word)


def press(page: Page, key: str, fix: str) -> None:
    row(page, key).locator(f"[data-fix={fix}]").click()


def test_a_robot_that_is_all_wrong_drafts_its_first_answer(stack: Stack, page: Page) -> None:
    stack.simulator.robot(
        ROBOT_ID, robotKeyCheck=1, robotKey=ROBOT_KEY, openCallback=0, replyAll=0, callbackUrl=ELSEWHERE, bindings=False
    )
    began = time.monotonic()
    page.fill("input[name=name]", "接入页机器人")
    page.fill("input[name=robot_id]", ROBOT_ID)
    page.click("#add-robot button[type=submit]")

    expect_state(page, "robot_key", "problem", "平台要求密钥", "控制台")
    row(page, "robot_key").locator("input[name=value]").fill(ROBOT_KEY)
    press(page, "robot_key", "robot_key")
    expect_state(page, "robot_key", "ok")
    expect_state(page, "robot_id", "ok")

    expect_state(page, "open_callback", "problem", "已关闭")
    press(page, "open_callback", "open_callback")
    expect_state(page, "open_callback", "ok")
    expect_state(page, "reply_all", "problem", "replyAll = 0")
    press(page, "reply_all", "hear_everything")
    expect_state(page, "reply_all", "ok")
    expect_state(page, "message_url", "problem", "http://127.0.0.1:9/…/message", "不是本系统")
    press(page, "message_url", "message_url")
    expect_state(page, "message_url", "ok")
    expect_state(page, "bind_1", "problem")
    press(page, "bind_1", "bind_1")
    expect_state(page, "bind_1", "ok")
    page.locator(".connect__sum .connect__button--main").click()
    for kind in (0, 5, 6):
        expect_state(page, f"bind_{kind}", "ok")

    said = stack.simulator.say(ROBOT_ID, "张三", QUESTION, ROOM)
    assert said["delivered"], said
    expect(page.locator(".connect__line").filter(has_text=QUESTION)).to_have_count(1, timeout=PATIENCE_MS)
    draft = page.locator(".connect__line").filter(has_text=QUESTION).locator(".connect__reply[data-draft=yes]")
    expect(draft).to_be_visible(timeout=PATIENCE_MS)
    print(f"\nfrom the robotId to the first draft in {time.monotonic() - began:.1f} s (promised: 5 minutes)")
    assert stack.sends(ROOM) == []
    html = page.content()
    assert ROBOT_ID not in html
    assert ROBOT_KEY not in html
