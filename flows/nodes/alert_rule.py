from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.nodes import Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

SEVERITY = ("info", "warning", "critical")


class AlertRule(Node):
    """Says which alert rules hold for this line, and so how severe it is and who must be told."""

    key: ClassVar[str] = "alert_rule"
    label: ClassVar[str] = "告警规则判断"
    does: ClassVar[str] = _("Which rules match, which severity, whom to tell.")

    class Config(PluginConfig):
        default_level: Literal["critical", "warning", "info"] = Field(
            default="warning", title=_("Level without a rule")
        )

    def run(self, ctx: NodeContext) -> Next:
        matches = self._matches(ctx)
        levels = [match["level"] for match in matches]
        if ctx.data.alert_level and not levels:
            levels = [ctx.data.alert_level]
        level = max(levels, key=SEVERITY.index) if levels else self.config.default_level
        events = tuple(
            (
                "alert_rule_matched",
                {
                    "alertId": ctx.data.alert_id,
                    "rule": match["slug"],
                    "level": match["level"],
                    "name": match["name"],
                },
            )
            for match in matches
        )
        patch = {"alert_level": level, "alert_rules": tuple(match["slug"] for match in matches)}
        return Next(patch=patch, detail={"matches": matches}, events=events)

    def _matches(self, ctx: NodeContext) -> list[dict[str, Any]]:
        """A rule set that cannot be judged leaves the default level; it never stops the run."""
        try:
            return ctx.knowledge.match_rules(ctx.data.facts())
        except ValueError as error:
            ctx.log("the alert rules could not be judged", error=str(error))
            return []
