"""The StandardContext: the seed's names, what they are filled with, and the published schema."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pydantic import ValidationError

from flows.context import IMMUTABLE, StandardContext, json_schema, to_api, to_internal
from flows.management.commands.export_schema import PUBLISHED
from flows.nodes.end import End
from robots import caches as robot_caches
from tests.flows.builders import context

#: The seed document's interface (§4.4), in its order; True where it has no question mark.
SEED = {
    "robotId": True, "robotName": True,
    "sessionId": True, "messageId": True,
    "userId": True, "userName": True,
    "groupId": False, "groupName": False, "groupRemark": False, "roomType": True, "isGroup": True,
    "originalMessage": True, "rawMessage": True, "textType": True, "fileBase64": False, "fileUrl": False, "atMe": True,
    "intent": False, "intentConfidence": False, "aiResponse": False,
    "personaId": False, "personaType": False,
    "targetName": False, "sendId": False, "commandStatus": False,
    "alertId": False, "alertLevel": False, "alertCode": False, "alertData": False,
    "executionPath": True, "startTime": True, "currentNodeId": True, "variables": True,
}  # fmt: skip
OURS = {
    "topic", "intentWhy", "senderRole", "receivedAt", "isBackfill", "group", "pictureText",
    "pictureProblem", "chosenRule", "template",
    "answerFile", "answerVariants", "atList", "commandDetail", "alertRules", "deliveries", "reason", "outcome",
}  # fmt: skip
STANDARD_WAY = ["receive", "intent", "decision", "reply", "dispatch", "send", "status"]
ALERT_WAY = [
    "receive",
    "intent",
    "decision",
    "alert_save",
    "alert_rule",
    "notify",
    "reply",
    "dispatch",
    "send",
    "status",
]
AI_AND_COMMAND = {
    "intent", "intentConfidence", "aiResponse", "personaId", "personaType", "targetName", "sendId", "commandStatus",
}  # fmt: skip


def test_it_has_the_seeds_33_names_and_ours() -> None:
    properties = json_schema()["properties"]
    assert len(SEED) == 33
    assert [name for name, field in properties.items() if field["seed"]] == list(SEED)
    assert {name for name, field in properties.items() if not field["seed"]} == OURS
    assert {field["source"] for field in properties.values()} == {"platform", "derived", "ours"}


def test_what_the_seed_requires_is_never_null() -> None:
    assert {name for name in json_schema()["required"] if name in SEED} == {name for name in SEED if SEED[name]}


def test_the_published_schema_is_up_to_date() -> None:
    call_command("export_schema", "--check")
    assert (settings.BASE_DIR / PUBLISHED).exists()


def test_a_file_that_is_out_of_date_is_told_and_mended(tmp_path) -> None:
    file = tmp_path / "schema" / "context.json"
    with pytest.raises(CommandError, match="run `manage"):
        call_command("export_schema", "--check", "--file", str(file))
    call_command("export_schema", "--file", str(file))
    call_command("export_schema", "--check", "--file", str(file))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(
    ("text", "path", "filled"),
    [
        ("如何退款？", STANDARD_WAY, AI_AND_COMMAND),
        (
            "再不退钱我就找人弄死你们",
            ALERT_WAY,
            AI_AND_COMMAND | {"alertId", "alertLevel", "alertCode", "alertData", "alertRules", "deliveries"},
        ),
    ],
    ids=["standard way", "alert way"],
)
def test_both_seeded_ways_fill_every_field_that_is_not_optional(say, work, robot, monkeypatch, text, path, filled):
    robot.mode = "shadow"  # a draft is final at once: the run ends in one walk
    robot.save()
    robot_caches.forget()
    seen = watch_the_end(monkeypatch)
    line = say(text)
    work()
    (last,) = seen
    assert last["executionPath"] == tuple(path)
    assert last["currentNodeId"] == "end"
    assert last["messageId"] == str(line.message_id)
    known = {name for name, value in last.items() if value not in (None, "", (), {})}
    assert {name for name in SEED if SEED[name]} | filled <= known
    StandardContext.model_validate(last)


def watch_the_end(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect, under their API names, the contexts that the last node is given."""
    seen: list[dict[str, Any]] = []
    real = End.run

    def watched(self: End, ctx: Any) -> Any:
        seen.append(ctx.data.model_dump(by_alias=True))
        return real(self, ctx)

    monkeypatch.setattr(End, "run", watched)
    return seen


def test_names_go_to_the_api_and_back() -> None:
    inside = context(intent="service", at_list=("张三",)).model_dump()
    outside = to_api(inside)
    assert set(outside) == set(json_schema()["properties"])
    assert to_internal(outside) == inside


def test_unknown_names_are_left_as_they_are_by_the_api_and_refused_inside() -> None:
    assert to_api({"own_name": 1}) == {"own_name": 1}
    with pytest.raises(ValidationError, match="ownName"):
        context(ownName=1)


def test_a_patch_merges_variables_and_replaces_the_rest() -> None:
    first = context().patched({"intent": "service", "variables": {"a": 1, "b": 1}})
    second = first.patched({"intent": "chat", "variables": {"b": 2}})
    assert (second.intent, second.variables) == ("chat", {"a": 1, "b": 2})
    assert (first.intent, first.variables) == ("service", {"a": 1, "b": 1})


def test_identity_and_what_the_platform_said_cannot_be_written_by_nodes() -> None:
    platform = {name for name, field in json_schema()["properties"].items() if field["source"] == "platform"}
    identity = {"robotId", "sessionId", "messageId", "userId", "groupId", "executionPath", "currentNodeId", "startTime"}
    assert set(to_internal(dict.fromkeys(platform | identity))) <= IMMUTABLE
