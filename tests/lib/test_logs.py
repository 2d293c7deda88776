"""Every line is one JSON object with its context, and none shows a credential."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worktool_ai.lib import logs


@pytest.fixture
def stderr(monkeypatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("json", "INFO")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def lines(stderr) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_have_one_shape(lines):
    with logs.bound(requestId="r-1", messageId=None, robot="robot-a"):
        logs.get_logger("ours").info("line_received", count=3)
        logging.getLogger("theirs").warning("told %s", "你好")
    logs.get_logger("ours").info("after")
    ours, theirs, after = lines()
    assert ours["event"] == "line_received"
    assert ours["count"] == 3
    assert theirs["event"] == "told 你好"
    for line in (ours, theirs):
        assert line["requestId"] == "r-1"
        assert line["robot"] == "robot-a"
        assert {"time", "level", "logger", "event"} <= set(line)
        assert "messageId" not in line
    assert "requestId" not in after, "the context ends with its block"


def test_chinese_is_not_escaped(stderr):
    logs.get_logger("ours").info("回答")
    assert "回答" in stderr.getvalue()


@pytest.mark.parametrize("value", [{1: "a"}, 2**70, "half \ud83d", {"when": object}])
def test_nothing_is_too_odd_for_a_line(stderr, value):
    logs.get_logger("ours").info("odd", value=value)
    logs.get_logger("ours").info("next")
    odd, following = (json.loads(line) for line in stderr.getvalue().splitlines())
    assert (odd["event"], following["event"]) == ("odd", "next")
    assert odd["value"]


def test_an_exception_stays_one_line(lines):
    try:
        raise ValueError("boom?robotId=wt-secret")
    except ValueError:
        logs.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed too")
    for line in lines():
        assert "ValueError" in line["exception"]
        assert "wt-secret" not in line["exception"]


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "api_key",
        "apiKey",
        "callback_key",
        "callbackKey",
        "token",
        "password",
        "Authorization",
        "robotId",
    ],
)
def test_values_of_secret_names_are_masked_at_any_depth(lines, name):
    logs.get_logger("ours").info("x", **{name: "hidden-value"}, nested={"list": [{name: "hidden-value"}]})
    assert "hidden-value" not in str(lines())


@pytest.mark.parametrize(
    "text",
    [
        "url: /wework/sendRawMessage?robotId=hidden-value&x=1",
        "GET /callback?key=hidden-value",
        "Authorization: Bearer hidden-value",
        "404 https://here/api/worktool/callback/hidden-value/message",
    ],
)
def test_credentials_inside_texts_are_masked(lines, text):
    logging.getLogger("urllib3").warning(text)
    logs.get_logger("ours").info("x", url=text)
    assert "hidden-value" not in str(lines())


@pytest.mark.parametrize("name", ["monkey", "tokens_used", "keyboard", "robot"])
def test_harmless_names_keep_their_values(lines, name):
    logs.get_logger("ours").info("x", **{name: "shown"})
    assert lines()[0][name] == "shown"


def test_console_format_is_for_people(stderr, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stderr)  # pytest put its own back after set-up
    logs.configure("console")
    logs.get_logger("ours").info("hello", count=1)
    text = stderr.getvalue()
    assert "hello" in text
    assert not text.startswith("{")


def test_an_unknown_format_is_named():
    with pytest.raises(ValueError, match="LOG_FORMAT"):
        logs.configure("xml")
