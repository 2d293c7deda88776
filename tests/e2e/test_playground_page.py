"""The playground in a browser: a vendor's answer beside the local one, with prompts and problems; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from personas.model_stub.testing import StubClient, running_model_stub
from tests.browser import needs_browser, new_page, running_browser
from tests.e2e.stack import ANSWER_S, Stack

pytestmark = needs_browser

PATIENCE_MS = ANSWER_S * 1000


@pytest.fixture
def stub(stack: Stack) -> Iterator[StubClient]:
    with running_model_stub() as stub, stack.model(stub.base_url):
        yield stub


@pytest.fixture
def page(stack: Stack, stub: StubClient) -> Iterator[Page]:
    """The playground of a persona, opened from the persona's page; a script error fails the test."""
    errors: list[str] = []
    run = stack.run_file()
    persona = stack.row("SELECT id FROM personas_persona WHERE slug = 'service'")["id"]
    with running_browser() as browser:
        page = new_page(browser, errors)
        page.goto(f"{stack.url}/admin/personas/persona/{persona}/change/")
        page.fill("input[name=username]", run["admin_user"])
        page.fill("input[name=password]", run["admin_password"])
        page.click("button[type=submit]")
        page.get_by_role("link", name="试验台").click()
        page.wait_for_selector("#playground")
        yield page
    assert errors == []


def test_two_answers_stand_side_by_side_and_nothing_is_sent(stack: Stack, stub: StubClient, page: Page) -> None:
    sent = len(stack.simulator.ledger())
    stub.faults({"kind": "sleep", "value": 1.5, "purpose": "reply"})
    page.fill("textarea[name=line]", "如何退款？")
    page.fill("textarea[name=turns]", "客户：在吗\n我们：在的")
    page.select_option("select[name=right_model]", "local")

    page.get_by_role("button", name="试一试").click()

    left, right = page.locator("#outcome-left"), page.locator("#outcome-right")
    expect(left).to_have_attribute("aria-busy", "true")
    expect(left.locator(".playground-answer")).to_contain_text("我的订单", timeout=PATIENCE_MS)
    expect(left.locator("[data-source]")).to_have_attribute("data-source", "model")
    expect(right.locator("[data-source]")).to_have_attribute("data-source", "template", timeout=PATIENCE_MS)
    expect(left).to_contain_text("支付问题")
    left.locator(".playground-attempt > summary").last.click()
    left.locator(".playground-prompt summary").last.click()
    expect(left.locator(".prompt__message").last).to_contain_text("<customer_text>如何退款？</customer_text>")
    assert len(stack.simulator.ledger()) == sent
    assert stack.row("SELECT count(*) AS n FROM personas_aicall WHERE NOT is_test AND node_id = 'playground'")["n"] == 0


def test_a_refused_answer_is_explained_and_a_mistake_says_how_to_go_on(stub: StubClient, page: Page) -> None:
    stub.faults({"kind": "text", "value": "好的，退您 500 元。", "purpose": "reply"})
    page.fill("textarea[name=line]", "如何退款？")

    page.get_by_role("button", name="试一试").click()

    left = page.locator("#outcome-left")
    expect(left).to_contain_text("金额“500 元”没有依据", timeout=PATIENCE_MS)

    page.select_option("select[name=left_prompt]", "draft")
    page.locator("details.prompt-box summary").click()
    page.fill("textarea[name=draft]", "")
    page.get_by_role("button", name="试一试").click()

    expect(left).to_contain_text("请先写好草稿", timeout=PATIENCE_MS)
