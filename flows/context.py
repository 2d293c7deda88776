"""The StandardContext: what a run knows. The seed's 33 names (§4.4) plus ours, in one place.

Inside it is snake_case, on the API and in conditions camelCase. Every field says where it comes from:
``platform`` (the callback said so), ``derived`` (we computed it: the platform has no such thing), ``ours``.
Ids never change during a run; ``execution_path`` and ``current_node_id`` are derived from the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from flows.content import READABLE, PictureProblem, in_words

__all__ = ["IMMUTABLE", "StandardContext", "json_schema", "to_api", "to_internal"]

Source = Literal["platform", "derived", "ours"]


def _field(source: Source, description: str, default: Any = ..., *, seed: bool = True) -> Any:
    return Field(default, description=description, json_schema_extra={"source": source, "seed": seed})


class StandardContext(BaseModel):
    """What a run knows at one moment. Built from the run's input and the patches of its steps, in order."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    robot_id: str = _field("derived", "Our slug of the robot; the platform's robotId is a credential and stays out.")
    robot_name: str = _field("derived", "The robot's display name.")

    session_id: str = _field("derived", "Our id of the conversation: robot, room and person.")
    message_id: str = _field("derived", "Our id of the line, minted at the door.")

    user_id: str = _field("derived", "Our id of the person in this room; the platform knows only names.")
    user_name: str = _field("platform", "The person's display name (receivedName).")

    group_id: str | None = _field("derived", "Our id of the group; empty in a private chat.", None)
    group_name: str | None = _field("platform", "The group's title.", None)
    group_remark: str | None = _field("platform", "The group's remark; where set, the only address that works.", None)
    room_type: int = _field("platform", "1 external group, 2 external contact, 3 internal group, 4 internal contact.")
    is_group: bool = _field("derived", "Whether this is a group chat.")

    original_message: str = _field("platform", "The text without the mention (spoken).")
    raw_message: str = _field("platform", "The text as it appeared (rawSpoken).")
    text_type: int = _field("platform", "The platform's content type: 1 text, 2 picture, 3 voice, …")
    file_base64: str | None = _field("platform", "Always empty here: media is stored once and referenced.", None)
    file_url: str | None = _field("derived", "Where a picture of the line is stored with us.", None)
    at_me: bool = _field("platform", "Whether the robot was mentioned.")

    intent: str | None = _field("derived", "The recognised intent.", None)
    intent_confidence: float | None = _field("derived", "0 to 1.", None)
    ai_response: str | None = _field("derived", "The answer that is to be sent.", None)

    persona_id: str | None = _field("derived", "The persona that answers.", None)
    persona_type: str | None = _field("derived", "The type of that persona.", None)

    target_name: str | None = _field("derived", "The chat that the answer goes to.", None)
    send_id: str | None = _field("derived", "Our id of the command; the platform gives its own messageId for it.", None)
    command_status: str | None = _field("derived", "pending, sent or failed.", None)

    alert_id: str | None = _field("derived", "The alert that was raised or counted up.", None)
    alert_level: str | None = _field("derived", "critical, warning or info.", None)
    alert_code: str | None = _field("derived", "The alert's code.", None)
    alert_data: dict[str, Any] | None = _field("derived", "What the alert is about.", None)

    execution_path: tuple[str, ...] = _field("derived", "The nodes that ran, in order.", ())
    start_time: int = _field("derived", "When the run was started, milliseconds since 1970.")
    current_node_id: str = _field("derived", "The node that runs now.", "")
    variables: dict[str, Any] = _field("derived", "A flow's own values.", {})

    topic: str | None = _field("ours", "One of the template categories, or none.", None, seed=False)
    intent_why: str | None = _field("ours", "What the recognition rests on.", None, seed=False)
    sender_role: str = _field("ours", "customer, staff or robot.", "customer", seed=False)
    received_at: int = _field("ours", "When the door took the line, milliseconds since 1970.", 0, seed=False)
    is_backfill: bool = _field("ours", "Fetched from the platform's log afterwards.", False, seed=False)
    group: str = _field("ours", "The name of the robot's group.", "", seed=False)
    picture_text: str | None = _field(
        "ours", "What is to be seen on the picture, in a model's words.", None, seed=False
    )
    picture_problem: PictureProblem | None = _field(
        "ours", "Why a picture was not looked at (closed list).", None, seed=False
    )
    chosen_rule: str | None = _field("ours", "The decision's rule that was taken.", None, seed=False)
    template: str | None = _field("ours", "The template that the answer came from.", None, seed=False)
    answer_file: dict[str, str] | None = _field(
        "ours", "The stored file that is sent after the answer: digest, name, content_type.", None, seed=False
    )
    answer_variants: tuple[str, ...] = _field("ours", "Other texts that say the same as the answer.", (), seed=False)
    at_list: tuple[str, ...] = _field("ours", "Who is mentioned in the answer.", (), seed=False)
    command_detail: str | None = _field("ours", "The command's detailed state.", None, seed=False)
    alert_rules: tuple[str, ...] = _field("ours", "The alert rules that matched.", (), seed=False)
    deliveries: tuple[str, ...] = _field("ours", "The deliveries that were queued.", (), seed=False)
    reason: str | None = _field("ours", "Why the line is answered, or not (closed list).", None, seed=False)
    outcome: str | None = _field("ours", "How the run ended: answered, handed_over or silent.", None, seed=False)

    @property
    def words(self) -> str:
        """What the customer said, as far as it can be read: the text, and a picture as a model has described it."""
        return in_words(self.original_message.strip() if self.text_type in READABLE else "", self.picture_text)

    def patched(self, patch: Mapping[str, Any]) -> StandardContext:
        """Return a copy with a step's patch merged in; ``variables`` are merged key by key."""
        update = dict(patch)
        if "variables" in update:
            update["variables"] = {**self.variables, **update["variables"]}
        return self.model_copy(update=update)

    def facts(self) -> dict[str, Any]:
        """Return the camelCase values that conditions see."""
        known = self.__dict__
        return {camel: known[name] for name, camel in CAMEL.items()}


FIELDS: tuple[str, ...] = tuple(StandardContext.model_fields)
CAMEL: dict[str, str] = {name: to_camel(name) for name in FIELDS}
SNAKE: dict[str, str] = {camel: name for name, camel in CAMEL.items()}

#: What no node may write: identity, what the platform said, and what is derived from the steps.
IMMUTABLE: frozenset[str] = frozenset(
    {
        "robot_id", "robot_name", "session_id", "message_id", "user_id", "user_name", "group_id", "group_name",
        "group_remark", "room_type", "is_group", "original_message", "raw_message", "text_type", "file_base64",
        "file_url", "at_me", "execution_path", "start_time", "current_node_id", "sender_role", "received_at",
        "is_backfill", "group",
    }
)  # fmt: skip


def to_api(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the keys of a patch or context to camelCase."""
    return {CAMEL.get(name, name): value for name, value in values.items()}


def to_internal(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename camelCase keys to ours."""
    return {SNAKE.get(name, name): value for name, value in values.items()}


def json_schema() -> dict[str, Any]:
    """Return the published JSON Schema (docs/schema/standard-context.json). Required is what is never null."""
    schema = StandardContext.model_json_schema(by_alias=True, mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for described in schema["properties"].values():
        del described["title"]  # only the name again, its capitals lost
    schema["required"] = [
        CAMEL[name] for name, field in StandardContext.model_fields.items() if field.default is not None
    ]
    return schema
