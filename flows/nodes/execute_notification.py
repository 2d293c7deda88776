from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.nodes import Effect, Next, Node, NodeContext, NodeError, Notify
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _


class ExecuteNotification(Node):
    """Queues deliveries to the people and channels of the rules that matched. Channels deliver on their own."""

    key: ClassVar[str] = "execute_notification"
    label: ClassVar[str] = "执行通知"
    does: ClassVar[str] = _("Writes delivery rows; a slow channel never delays the answer.")
    ports: ClassVar[tuple[str, ...]] = ("next", "error")

    class Config(PluginConfig):
        text: str = Field(
            default="",
            max_length=500,
            title=_("Text in place of the standard one"),
            json_schema_extra={"multiline": True},
        )

    def run(self, ctx: NodeContext) -> Next | Effect:
        if ctx.data.alert_id is None:
            return Next(patch={"deliveries": ()}, detail={"skipped": "no alert was raised before this node"})
        return Notify(
            alert_id=ctx.data.alert_id,
            rules=ctx.data.alert_rules,
            level=ctx.data.alert_level or "warning",
            text=self.config.text,
        )

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        if outcome.get("error"):
            raise NodeError(outcome["error"])
        deliveries = tuple(outcome.get("deliveries", ()))
        return Next(patch={"deliveries": deliveries}, detail={"count": len(deliveries)})
