"""What callbacks say, in every dialect that worktool-api.md knows of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robots.inbound.body import BadBody, decode, is_configuration_test, is_probe
from robots.inbound.parse import TEXT_LIMIT, parse_message, parse_qr_code, parse_result
from tests.robots.inbound.builders import callback, contract, encode, line
from worktool_ai.lib.ids import uuid7

ROBOT = uuid7()
MESSAGES = contract("message_callbacks")
RESULTS = contract("result_callbacks")
FORM = "application/x-www-form-urlencoded"


def parse(body: Any, content_type: str = "application/json"):
    return parse_message(callback(ROBOT, body, content_type=content_type))


def of_contract(name: str):
    fixture = MESSAGES[name]
    return parse(fixture["body"], fixture["content_type"])


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_documented_body_is_read(name):
    parsed = of_contract(name)
    assert parsed.sender_name
    assert parsed.room_address


def test_documented_line():
    parsed = of_contract("documented")
    assert (parsed.text, parsed.raw_text) == ("我的课程链接打不开", "@小助手 我的课程链接打不开")
    assert (parsed.sender_name, parsed.room_name, parsed.room_address) == ("林小夏", "春季班答疑", "A03春季答疑")
    assert (parsed.is_group, parsed.room_type, parsed.at_me) == (True, 1, True)
    assert parsed.platform_id == "1900000000000000001"
    assert parsed.extra == {}


@pytest.mark.parametrize(
    ("value", "mentioned"),
    [
        ("true", True),
        ("True", True),
        (True, True),
        (1, True),
        ("false", False),
        (False, False),
        (None, None),
        ("", None),
        ("null", None),
    ],
)
def test_at_me_may_be_text_boolean_or_null(value, mentioned):
    assert parse(line(atMe=value)).at_me is mentioned


@pytest.mark.parametrize(
    ("names", "is_group", "address"),
    [
        ({"groupName": "客服群", "groupRemark": ""}, True, "客服群"),
        ({"groupName": "客服群", "groupRemark": "A群"}, True, "A群"),
        ({"groupName": "", "groupRemark": None}, False, "张三"),
    ],
)
@pytest.mark.parametrize("room_type", [None, 0, "", "x", 17])
def test_without_a_room_type_the_group_name_decides(names, is_group, address, room_type):
    parsed = parse(line(**names, roomType=room_type))
    assert (parsed.is_group, parsed.room_address, parsed.room_type) == (is_group, address, 0)


def test_room_type_is_believed_where_it_is_known():
    parsed = parse(line(roomType="4"))
    assert (parsed.is_group, parsed.room_address, parsed.room_type) == (False, "张三", 4)


@pytest.mark.parametrize(
    ("fields", "text_type"),
    [({"textType": 99}, 99), ({"textType": "3"}, 3), ({"textType": None}, 1), ({"textType": 10**9}, 1)],
)
def test_unknown_text_types_are_kept(fields, text_type):
    assert parse(line(**fields)).text_type == text_type


def test_unknown_fields_are_kept_but_not_at_any_length():
    parsed = parse(line(newField={"a": [1]}, big="x" * 5000))
    assert parsed.extra["newField"] == {"a": [1]}
    assert len(parsed.extra["big"]) < 2100


def test_credentials_among_unknown_fields_are_not_kept():
    parsed = parse(line(robotId="wt0123456789", url="https://here/?key=abcdefgh", more={"robotKey": "k" * 9, "n": 1}))
    assert parsed.extra == {"robotId": "•••", "url": "https://here/?key=•••", "more": {"robotKey": "•••", "n": 1}}


def test_new_friend_event_is_a_system_line_under_the_friends_name():
    parsed = of_contract("new_friend")
    assert parsed.is_system
    assert (parsed.sender_name, parsed.is_group, parsed.room_type) == ("赵六A12", False, 0)
    assert parsed.extra["type"] == 105


def test_picture_is_decoded_and_named_by_its_hash():
    parsed = of_contract("image")
    assert parsed.media is not None
    assert parsed.media.content_type == "image/png"
    assert parsed.media.content.startswith(b"\x89PNG")
    assert parsed.media_digest == parsed.media.digest


@pytest.mark.parametrize("value", ["not base64!", "", None, 17])
def test_an_undecodable_picture_does_not_lose_the_line(value):
    parsed = parse(line("", textType=2, fileBase64=value))
    assert parsed.media is None
    assert parsed.text_type == 2


def test_a_text_too_long_for_a_context_is_cut_and_kept_whole_as_media():
    text = "长" * (TEXT_LIMIT + 1)
    parsed = parse(line(text))
    assert len(parsed.text) == TEXT_LIMIT
    assert parsed.media is not None
    assert parsed.media.content.decode() == text


def test_names_are_trimmed_and_texts_can_be_stored():
    body = b'{"spoken": "a\\u0000b\\ud800", "receivedName": " \xe5\xbc\xa0\xe4\xb8\x89 ", "n": NaN}'
    parsed = parse(body)
    assert (parsed.text, parsed.sender_name) == ("ab?", "张三")
    assert parsed.extra["n"] is None


def test_form_and_multipart_bodies_are_read_like_json():
    body = {"spoken": "如何退款？", "receivedName": "张三", "groupName": "客服群", "roomType": "1", "atMe": "true"}
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    multipart = ("".join(part.format(*item) for item in body.items()) + "--b--\r\n").encode()
    expected = decode(encode(body), "application/json")
    assert decode(encode(body, FORM), FORM) == expected
    assert decode(multipart, "multipart/form-data; boundary=b") == expected
    # JSON under a wrong header is JSON all the same
    assert decode(encode(body), FORM) == expected
    assert decode(encode(body), "text/plain") == expected


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"hello", "application/json"),
        (b"[1]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe\xfd", "application/json"),
        (b'{"a":' * 100_000, "application/json"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "application/json"),
        (b"hello", FORM),
        (b"hello", "multipart/form-data; boundary=b"),
        (b"hello", "multipart/form-data"),
    ],
)
def test_what_is_neither_json_object_nor_form_is_refused(body, content_type):
    with pytest.raises(BadBody):
        decode(body, content_type)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(["application/json", FORM]))
def test_no_body_whatever_breaks_the_reader(body, content_type):
    try:
        payload = decode(body, content_type)
    except BadBody:
        return
    assert isinstance(payload, dict)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from([*line(), "messageId", "msgId", "fileBase64", "type", "friendName", "other"])


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON_VALUES, max_size=8))
def test_any_values_in_known_fields_are_read(body):
    parsed = parse(json.dumps(body).encode())
    assert parsed.is_group in {True, False}
    assert len(parsed.sender_name) <= 200
    json.dumps(parsed.extra, allow_nan=False).encode()


@pytest.mark.parametrize("kind", ["message", "result", "qrcode", "online", "offline"])
@pytest.mark.parametrize("body", [b"", b" ", b"{}"])
def test_probe_of_a_new_binding_is_recognised(kind, body):
    assert is_probe(kind, decode(body, "application/json"))


def test_real_callbacks_are_no_probes():
    assert not is_probe("message", line())
    assert not is_probe("result", {"messageId": "1", "errorCode": 0})
    assert not is_probe("online", {"msgtype": "text"})


def test_configuration_test_is_recognised_in_every_dialect():
    sample = MESSAGES["configuration_test"]["body"]
    assert is_configuration_test("message", sample)
    assert is_configuration_test("message", {**sample, "atMe": None, "roomType": "1", "textType": "1"})
    assert not is_configuration_test("message", line(sender="WorkTool"))
    assert not is_configuration_test("message", {**sample, "messageId": "1900000000000000001"})


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_every_documented_result_is_read(name):
    body = RESULTS[name]["body"]
    parsed = parse_result(callback(ROBOT, body, kind="result"))
    assert parsed.platform_id == body["messageId"]
    assert parsed.error_code == body["errorCode"]
    assert list(parsed.fail_list) == body.get("failList", [])
    assert parsed.raw_message["type"] == parsed.kind


def test_result_with_odd_types_is_read():
    body = {"messageId": 19, "errorCode": "0", "failList": '["a"]', "rawMsg": {"messageId": "x"}, "runTime": "bad"}
    parsed = parse_result(callback(ROBOT, body, kind="result"))
    assert (parsed.platform_id, parsed.inner_id, parsed.error_code) == ("19", "x", 0)
    assert (parsed.fail_list, parsed.run_time, parsed.kind) == (("a",), None, None)
    assert parse_result(callback(ROBOT, {"messageId": "1"}, kind="result")).error_code == -1


def test_qr_code_is_read():
    body = contract("other_callbacks")["qr_code"]["body"]
    parsed = parse_qr_code(callback(ROBOT, body, kind="qrcode"))
    assert (parsed.group_name, parsed.qr_code) == (body["groupName"], body["qrCode"])
