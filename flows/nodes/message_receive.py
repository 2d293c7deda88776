from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.content import PICTURE, TEXT
from flows.context import StandardContext
from flows.nodes import AskModel, Effect, Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _


class MessageReceive(Node):
    """Takes the stored line as the run's input, picks the persona, has a picture put into words, and decides whether
    this line is ours to answer."""

    key: ClassVar[str] = "message_receive"
    label: ClassVar[str] = "消息接收"
    does: ClassVar[str] = _(
        "Takes the line in, picks the persona, and stays silent where the line is not ours to answer."
    )
    ports: ClassVar[tuple[str, ...]] = ("next", "silent")

    class Config(PluginConfig):
        answer_staff: bool = Field(default=False, title=_("Answer colleagues' lines too"))
        drop_stale: bool = Field(default=True, title=_("Leave lines that are no longer fresh to people"))
        pictures: Literal["all", "addressed", "none"] = Field(
            default="all",
            title=_("Pictures looked at, where a model of the persona can"),
            json_schema_extra={
                "labels": {
                    "all": _("all, also in groups without a mention"),
                    "addressed": _("in private chats, or where the robot is mentioned"),
                    "none": _("none: the customer is asked for text"),
                }
            },
        )
        picture_timeout_s: float = Field(default=15, gt=0, le=60, title=_("Time limit for looking at a picture (s)"))

    def run(self, ctx: NodeContext) -> Next | Effect:
        reason = self._silence(ctx)
        if reason is not None:
            return _silent(ctx, reason, {})
        line = ctx.data
        if line.file_url and self._wants(line):
            return AskModel(
                task="picture",
                text="",
                picture=line.file_url,
                persona_id=ctx.robot.persona_id,
                persona_type=ctx.robot.persona_type,
                is_private=not line.is_group,
                timeout_s=self.config.picture_timeout_s,
            )
        if line.text_type != PICTURE:
            return _received(ctx, {})
        return _received(ctx, {"picture_problem": "not_wanted" if line.file_url else "not_delivered"})

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        found = {"picture_text": outcome.get("text"), "picture_problem": outcome.get("problem")}
        return _received(ctx, {name: value for name, value in found.items() if value})

    def _wants(self, line: StandardContext) -> bool:
        return self.config.pictures == "all" or (self.config.pictures == "addressed" and _is_addressed(line))

    def _silence(self, ctx: NodeContext) -> str | None:
        line = ctx.data
        if line.sender_role == "robot":
            return "other_robot"
        if line.sender_role == "staff" and not self.config.answer_staff:
            return "staff_line"
        if ctx.robot.owner == "human":
            return "owner_human"
        if self.config.drop_stale and _age_s(line.received_at, ctx.now) > ctx.robot.line_fresh_s:
            return "stale_line"
        return None


def _received(ctx: NodeContext, picture: Mapping[str, Any]) -> Next:
    """Go on; a line that nobody can read is met with silence where it was not meant for the robot."""
    line = ctx.data.patched(picture)
    if line.text_type != TEXT and not line.words and not _is_addressed(line):
        return _silent(ctx, "unsupported_type", picture)
    return Next(patch={**_persona(ctx), **picture})


def _silent(ctx: NodeContext, reason: str, picture: Mapping[str, Any]) -> Next:
    patch = {**_persona(ctx), **picture, "reason": reason, "outcome": "silent"}
    return Next(port="silent", patch=patch, detail={"silent": reason})


def _persona(ctx: NodeContext) -> dict[str, Any]:
    return {"persona_id": ctx.robot.persona_id, "persona_type": ctx.robot.persona_type}


def _is_addressed(line: StandardContext) -> bool:
    return line.at_me or not line.is_group


def _age_s(received_at: int, now: datetime) -> float:
    return (now - datetime.fromtimestamp(received_at / 1000, UTC)).total_seconds()
