from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.nodes import Effect, Next, Node, NodeContext, NodeError, RaiseAlert
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

Level = Literal["critical", "warning", "info"]
QUOTE = 80


class AlertSave(Node):
    """Raises an alert about this line, or counts an open one about the same person and matter up."""

    key: ClassVar[str] = "alert_save"
    label: ClassVar[str] = "告警入库"
    does: ClassVar[str] = _("Raises an alert, or counts up the open one about the same person and matter.")
    ports: ClassVar[tuple[str, ...]] = ("next", "error")

    class Config(PluginConfig):
        code: str = Field(default="", max_length=60, title=_("Alert code; empty takes the intent or topic"))
        level: Level = Field(default="warning", title=_("Level until the rules have spoken"))
        critical_intents: tuple[str, ...] = Field(default=("risk",), title=_("Intents that are critical at once"))

    def run(self, ctx: NodeContext) -> Effect:
        data = ctx.data
        code = self.config.code or self._code(ctx)
        place = data.group_name if data.is_group else "私聊"
        alert_data = {
            "userName": data.user_name,
            "groupName": data.group_name,
            "text": data.words[:QUOTE],
            "intent": data.intent,
            "topic": data.topic,
        }
        return RaiseAlert(
            code=code,
            level="critical" if data.intent in self.config.critical_intents else self.config.level,
            title=f"{place} · {data.user_name}：{data.words[:QUOTE]}",
            fingerprint=f"{code}:{data.session_id}",
            data=alert_data,
        )

    def _code(self, ctx: NodeContext) -> str:
        data = ctx.data
        return data.topic or "other" if data.intent in (None, "service", "help") else str(data.intent)

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        if not outcome.get("alertId"):
            raise NodeError(outcome.get("error") or "the alert could not be stored")
        assert isinstance(effect, RaiseAlert)
        return Next(
            patch={
                "alert_id": outcome["alertId"],
                "alert_level": outcome["level"],
                "alert_code": effect.code,
                "alert_data": effect.data,
            },
            detail={"count": outcome.get("count"), "isNew": outcome.get("isNew")},
        )
