from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from flows.nodes import Effect, Next, Node, NodeContext, WaitFor
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

#: What a command's end means for the customer's line. Whatever is not named here leaves the reason as it was.
REASONS = {
    "failed": "send_failed",
    "not_accepted": "send_failed",
    "covered": "answered",  # an equal answer stands in the room
    "unknown": "send_unknown",
    "expired": "stale_reply",
    "withdrawn": "withdrawn",
    "withdrawn_unconfirmed": "withdrawn",
    "closed_by_restore": "closed_by_restore",
}
SENT = frozenset({"accepted", "done", "partial", "unknown", "withdrawn_unconfirmed"})
PENDING = frozenset({"draft", "queued", "sending"})


class CommandStatus(Node):
    """Records what became of the command. While it waits for the phone the conversation is free for the next line."""

    key: ClassVar[str] = "command_status"
    label: ClassVar[str] = "指令状态记录"
    does: ClassVar[str] = _("Records the command's state; may wait for the phone's result without holding anything.")

    class Config(PluginConfig):
        wait_s: int = Field(default=90, ge=0, le=3600, title=_("Wait for the result (s); 0 records the state at once"))

    def run(self, ctx: NodeContext) -> Next | Effect:
        if ctx.data.send_id is None:
            return Next(patch={"command_status": None, "command_detail": "nothing_sent"})
        if ctx.data.command_detail == "draft" or not self.config.wait_s:
            detail = ctx.data.command_detail or "queued"
            return Next(patch={"command_status": _coarse(detail), "command_detail": detail})
        return WaitFor(command_id=ctx.data.send_id, until=ctx.now + timedelta(seconds=self.config.wait_s))

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        state = outcome["state"]
        patch: dict[str, Any] = {"command_status": _coarse(state), "command_detail": state}
        reason = "send_unknown" if outcome.get("timedOut") else REASONS.get(state)
        if reason:
            patch["reason"] = reason
        return Next(patch=patch, detail={"error": outcome.get("error", ""), "timedOut": bool(outcome.get("timedOut"))})


def _coarse(state: str) -> str:
    if state in PENDING:
        return "pending"
    return "sent" if state in SENT else "failed"
