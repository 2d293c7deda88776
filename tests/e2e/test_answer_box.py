"""The panel leads a colleague to the answer box, where words and a picture leave, and says what is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_browser, new_page, running_browser
from tests.e2e.stack import ANSWER_S, Stack
from tests.templates_lib import samples

pytestmark = needs_browser

ROOM = "人工回复群"
QUESTION = "请问怎么退款？"
WORDS = "我是人工客服，马上为您处理"
PATIENCE_MS = ANSWER_S * 1000


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """The panel, signed in; a script error fails the test."""
    errors: list[str] = []
    run = stack.run_file()
    with running_browser() as browser:
        page = new_page(browser, errors)
        page.goto(stack.url)
        page.fill("input[name=username]", run["admin_user"])
        page.fill("input[name=password]", run["admin_password"])
        page.click("button[type=submit]")
        page.wait_for_selector("#stream[aria-busy=false]")
        yield page
    assert errors == []


def test_words_and_a_picture_leave_by_hand(stack: Stack, page: Page) -> None:
    said = stack.say(QUESTION, ROOM)
    stack.answer(ROOM, said)
    card = page.locator("#lines .line").filter(has_text=ROOM).filter(has_text=QUESTION)
    expect(card).to_have_count(1, timeout=PATIENCE_MS)
    card.hover()
    card.locator(".line__answer").click()

    expect(page.locator(".talk__line[data-side=theirs]").filter(has_text=QUESTION)).to_have_count(1)
    page.evaluate("window.loadedOnce = true")
    page.locator(".talk__form--owner button").click()
    expect(page.locator(".talk__owner")).to_have_attribute("data-owner", "human")
    page.fill("#talk-text", WORDS)
    page.set_input_files("input[name=file]", {"name": "价目表.png", "mimeType": "image/png", "buffer": samples.PNG})
    page.locator("#talk .connect__button--main").click()
    ours = page.locator(".talk__line[data-side=ours]")
    for words in (WORDS, "价目表.png"):
        state = ours.filter(has_text=words).locator("[data-colour=success]")
        expect(state).to_have_text("已完成", timeout=PATIENCE_MS)
    page.locator(".talk__form--owner button").click()
    expect(page.locator(".talk__owner")).to_have_attribute("data-owner", "robot")
    assert page.evaluate("window.loadedOnce"), "the page was loaded again"

    lines = [line for line in stack.robot_lines(ROOM) if line["id"] > said["id"]]
    assert [(line["text"], line["textType"]) for line in lines[-2:]] == [(WORDS, 1), (lines[-1]["text"], 2)]


def test_the_panel_says_on_top_what_is_stopped_by_whom_and_why(stack: Stack, page: Page) -> None:
    stack.answer(ROOM, stack.say(QUESTION, ROOM, sender="李四"))
    expect(page.locator("#sending")).to_contain_text("最近一分钟的平台请求", timeout=PATIENCE_MS)
    stop = (
        "INSERT INTO robots_switch (id, scope, robot_id, room_id, why, since, set_by, withdrawn, lifted_by)"
        " SELECT gen_random_uuid(), 'room', robot_id, id, '演练', now(), '王五', 0, ''"
        " FROM robots_room WHERE address = %s"
    )
    assert stack.change(stop, ROOM) == 1
    banner = page.locator(".stop")
    for words in (ROOM, "王五", "演练", "恢复发送"):
        expect(banner).to_contain_text(words, timeout=PATIENCE_MS)
    stack.change("UPDATE robots_switch SET lifted_at = now(), lifted_by = '王五' WHERE lifted_at IS NULL")
    expect(banner).to_have_count(0, timeout=PATIENCE_MS)
