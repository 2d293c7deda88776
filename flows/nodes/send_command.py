from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.nodes import CommandDraft, Effect, Next, Node, NodeContext, NodeError, SendCommands
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

PUSH_FILE = 218


class SendCommand(Node):
    """Puts the answer into the outbox. Ends when it is queued; what becomes of it is the next node's matter.

    A file follows its text as a command of its own, in each room: a mention needs the text (218 has none), and each of
    the two keeps its own state. ``send_id`` is that of the first.
    """

    key: ClassVar[str] = "send_command"
    label: ClassVar[str] = "发送指令"
    does: ClassVar[str] = _("Queues the command in the outbox; in shadow mode it stays a draft.")
    ports: ClassVar[tuple[str, ...]] = ("next", "error")

    class Config(PluginConfig):
        priority: Literal["human", "reply", "bulk"] = Field(
            default="reply",
            title=_("Priority"),
            json_schema_extra={"labels": {"human": _("colleague"), "reply": _("reply"), "bulk": _("bulk")}},
        )
        fixed_text: str = Field(
            default="",
            max_length=2000,
            title=_("Fixed text in place of the answer"),
            json_schema_extra={"multiline": True},
        )

    def run(self, ctx: NodeContext) -> Effect:
        text = self.config.fixed_text or ctx.data.ai_response
        file = None if self.config.fixed_text else ctx.data.answer_file
        variants = () if self.config.fixed_text else tuple(ctx.data.answer_variants)
        if not text and not file:
            raise NodeError("there is nothing to send: no answer was written before this node")
        commands: list[CommandDraft] = []
        for position, target in enumerate(self._targets(ctx)):
            if text:
                at_list = () if position else ctx.data.at_list
                commands.append(self._draft(ctx, target, text=text, at_list=at_list, variants=variants))
            if file:
                commands.append(self._draft(ctx, target, text=file["name"], type=PUSH_FILE, file=file))
        return SendCommands(commands=tuple(commands), fresh_s=ctx.robot.reply_fresh_s)

    def _draft(self, ctx: NodeContext, target: str, **fields: Any) -> CommandDraft:
        to: Literal["room", "person"] = "room" if ctx.data.is_group else "person"
        return CommandDraft(target=target, to=to, priority=self.config.priority, **fields)

    def _targets(self, ctx: NodeContext) -> list[str]:
        """Without a dispatch node the answer goes back to the chat that the line came from."""
        chosen = ctx.data.variables.get("targets") or [ctx.data.target_name or ""]
        data = ctx.data
        origin = (data.group_remark or data.group_name or "") if data.is_group else data.user_name
        return [target or origin for target in chosen]

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        send_ids = outcome["sendIds"]
        patch: dict[str, Any] = {
            "send_id": send_ids[0],
            "command_status": "pending",
            "command_detail": outcome["state"],
            "reason": "draft_only" if outcome["state"] == "draft" else ctx.data.reason or "answered",
        }
        return Next(patch=patch, detail={"sendIds": send_ids})
