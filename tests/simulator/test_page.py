"""The chat page in a real browser: a person types, the robot answers, nobody's words become markup."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from robots.simulator.testing import SimulatorClient
from tests.browser import needs_browser, new_page, running_browser
from tests.simulator.door import ROBOT, ROOM, Door, command, send
from tests.templates_lib import samples
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, running

pytestmark = needs_browser


@pytest.fixture
def page(sim: SimulatorClient) -> Iterator[Page]:
    """The chat page, opened with its token; any script error fails the test."""
    errors: list[str] = []
    with running_browser() as browser:
        page = new_page(browser, errors)
        page.goto(f"{sim.url}/#token={sim.token}")
        page.wait_for_selector("#link-state.good")
        yield page
    assert errors == []


def test_a_line_is_sent_with_enter_and_the_answer_appears(sim: SimulatorClient, page: Page) -> None:
    page.check("#mention")
    page.fill("#text", "<b>如何退款？</b>")
    page.press("#text", "Enter")
    page.wait_for_selector(".said.person .mark.good")
    assert page.inner_text(".said.person .bubble") == "@机器人<b>如何退款？</b>"
    line = sim.transcript(ROOM)[0]
    assert (line["sender"], line["atList"]) == ("张三", ["机器人"])
    send(sim, command("您好", atList=["张三"]))
    page.wait_for_selector(".said.robot")
    assert page.inner_text(".said.robot .bubble") == "@张三您好"
    send(sim, {"type": 226, "titleList": [ROOM], "originalContent": "您好"})
    page.wait_for_selector(".said.system")
    assert page.query_selector(".said.robot") is None


def test_a_private_chat_and_a_line_that_was_not_delivered(sim: SimulatorClient, page: Page) -> None:
    sim.faults({"kind": "callback_loss"})
    page.select_option("#new-kind", "private")
    page.fill("#new-name", "李四")
    page.click("#new-chat button")
    page.fill("#text", "在吗")
    page.press("#text", "Enter")
    page.wait_for_selector(".mark.bad")
    assert sim.transcript("李四")[0]["text"] == "在吗"


def test_a_robot_is_set_wrong_from_the_panel(sim: SimulatorClient, page: Page) -> None:
    page.select_option("#owner-replyAll", index=1)
    page.select_option("#owner-robotKeyCheck", index=1)
    page.wait_for_selector("#owner-key:not(:empty)")
    page.click("#owner-wrong")
    page.click("#owner-forget")

    def is_set() -> bool:
        left = sim.control("GET", "robot", robotId=ROBOT)
        return (left["replyAll"], left["robotKeyCheck"], left["hasKey"], list(left["callbacks"])) == (
            0,
            1,
            True,
            ["message"],
        )

    sim.wait_for(is_set)
    assert sim.control("GET", "robot", robotId=ROBOT)["callbacks"]["message"].startswith("http://127.0.0.1:9/")


def test_dialect_and_faults_are_set_from_the_panel(sim: SimulatorClient, page: Page) -> None:
    page.select_option("#dialect-atMe", index=1)
    page.select_option("#fault-kind", "result_loss")
    page.fill("#fault-count", "3")
    page.click("#fault-form button[type=submit]")
    page.wait_for_selector("#faults li")
    assert sim.control("GET", "dialect")["atMe"] == "bool"
    assert sim.control("GET", "faults")["faults"] == [{"kind": "result_loss", "probability": 1.0, "count": 3}]
    page.click("#fault-clear")
    page.wait_for_selector("#faults li", state="detached")
    assert sim.control("GET", "faults")["faults"] == []


def test_without_a_token_the_page_asks_for_it(sim: SimulatorClient, page: Page) -> None:
    fresh = page.context.browser
    assert fresh is not None
    stranger = fresh.new_page()
    stranger.goto(sim.url)
    stranger.fill("#token", sim.token)
    stranger.press("#token", "Enter")
    stranger.wait_for_selector("#link-state.good")
    assert stranger.eval_on_selector("#robot", "select => select.value") == ROBOT


def test_a_picture_that_was_pushed_is_seen(sim: SimulatorClient, page: Page) -> None:
    async def serve(request: Request) -> Response:
        return Response(200, samples.PNG, "image/png")

    with running(LoopbackApp(serve)) as url:
        push = {"type": 218, "titleList": [ROOM], "objectName": "a.png", "fileType": "image"}
        send(sim, {**push, "fileUrl": f"{url}/a.png"})
        page.wait_for_selector(".said.robot img.picture", state="attached")
        picture = page.locator(".said.robot img.picture")
        sim.wait_for(lambda: picture.evaluate("image => image.naturalWidth") == 1)


def test_a_picture_is_chosen_and_sent(sim: SimulatorClient, door: Door, page: Page) -> None:
    page.set_input_files("#picture", {"name": "截图.png", "mimeType": "image/png", "buffer": samples.PNG})
    page.wait_for_selector(".said.person .mark.good")
    picture = page.locator(".said.person img.picture")
    sim.wait_for(lambda: picture.evaluate("image => image.naturalWidth") == 1)
    assert page.input_value("#picture") == ""
    (body,) = door.bodies("message")
    assert (body["textType"], body["spoken"], body["fileBase64"]) == (2, "", base64.b64encode(samples.PNG).decode())
