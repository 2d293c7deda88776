from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from pydantic import Field

from flows.nodes import Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

#: Content types whose text the platform delivers: text, and text that quotes another message.
READABLE = frozenset({0, 1, 15})


class MessageReceive(Node):
    """Takes the stored line as the run's input, picks the persona, and decides whether this line is ours to answer."""

    key: ClassVar[str] = "message_receive"
    label: ClassVar[str] = "消息接收"
    does: ClassVar[str] = _(
        "Takes the line in, picks the persona, and stays silent where the line is not ours to answer."
    )
    ports: ClassVar[tuple[str, ...]] = ("next", "silent")

    class Config(PluginConfig):
        answer_staff: bool = Field(default=False, title=_("Answer colleagues' lines too"))
        drop_stale: bool = Field(default=True, title=_("Leave lines that are no longer fresh to people"))

    def run(self, ctx: NodeContext) -> Next:
        patch = {"persona_id": ctx.robot.persona_id, "persona_type": ctx.robot.persona_type}
        reason = self._silence(ctx)
        if reason is None:
            return Next(patch=patch)
        return Next(port="silent", patch={**patch, "reason": reason, "outcome": "silent"}, detail={"silent": reason})

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
        if line.text_type not in READABLE and line.is_group and not line.at_me:
            return "unsupported_type"
        return None


def _age_s(received_at: int, now: datetime) -> float:
    return (now - datetime.fromtimestamp(received_at / 1000, UTC)).total_seconds()
