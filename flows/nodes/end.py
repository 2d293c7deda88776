from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from flows.nodes import Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

ANSWERED = frozenset({"answered", "asked_back", "draft_only"})


class End(Node):
    """Closes the run with its outcome and reason."""

    key: ClassVar[str] = "end"
    label: ClassVar[str] = "结束"
    does: ClassVar[str] = _("Closes the run with outcome and reason.")
    ports: ClassVar[tuple[str, ...]] = ()

    class Config(PluginConfig):
        reason: str = Field(
            default="",
            max_length=32,
            title=_("Reason, where no node before has given one"),
            json_schema_extra={"choices": "flows.reasons"},
        )

    def run(self, ctx: NodeContext) -> Next:
        data = ctx.data
        reason = data.reason or self.config.reason or "answered"
        if reason in ANSWERED and data.send_id is None:
            reason = "flow_silent"  # an answer that was written and never queued is none
        outcome = _outcome(reason)
        return Next(
            port="",
            patch={"reason": reason, "outcome": outcome},
            events=(("flow_completed", {"outcome": outcome, "reason": reason}),),
        )


def _outcome(reason: str) -> str:
    if reason == "handed_over":
        return "handed_over"
    return "answered" if reason in ANSWERED else "silent"
