from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flows.context import StandardContext
from flows.nodes import Next, Node, NodeContext
from flows.nodes._cel import compile_condition, explain
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _


class Rule(BaseModel):
    """One way out: the first rule whose condition holds is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    port: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", title=_("Way out"))
    label: str = Field(default="", max_length=60, title=_("Name"))
    condition: str = Field(max_length=2000, title=_("Condition"))
    reason: str = Field(
        default="",
        max_length=32,
        title=_("Reason where nothing is answered"),
        json_schema_extra={"choices": "flows.reasons"},
    )

    @field_validator("condition")
    @classmethod
    def _is_usable(cls, text: str) -> str:
        compile_condition(text)
        return text


class Decision(Node):
    """Takes the way of the first rule that holds, else the default way."""

    key: ClassVar[str] = "decision"
    label: ClassVar[str] = "决策"
    does: ClassVar[str] = _("Takes the first rule whose condition holds, else the default way.")
    ports: ClassVar[tuple[str, ...]] = ("default",)

    class Config(PluginConfig):
        rules: tuple[Rule, ...] = Field(default=(), title=_("Rules"))
        default_port: str = Field(default="default", pattern=r"^[a-z][a-z0-9_]{0,39}$", title=_("Default way"))

    @classmethod
    def ports_for(cls, config: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(rule.port for rule in config.rules), config.default_port]))

    def run(self, ctx: NodeContext) -> Next:
        tried: list[dict[str, Any]] = []
        for rule in self.config.rules:
            verdict = self._judge(rule, ctx, tried)
            if verdict:
                return Next(
                    port=rule.port,
                    patch=_patch(rule, ctx.data),
                    detail={"chosen": rule.label, "tried": tried},
                )
        patch = {"chosen_rule": self.config.default_port}
        return Next(port=self.config.default_port, patch=patch, detail={"chosen": "default", "tried": tried})

    def _judge(self, rule: Rule, ctx: NodeContext, tried: list[dict[str, Any]]) -> bool:
        """Judge one rule, keeping wanted and actual. A rule that breaks does not hold: there is always a default."""
        try:
            verdict = explain(rule.condition, ctx.data)
        except ValueError as error:
            ctx.log("a rule could not be judged", rule=rule.label or rule.port, error=str(error))
            tried.append({"rule": rule.label or rule.port, "wanted": rule.condition, "error": str(error)})
            return False
        tried.append(
            {
                "rule": rule.label or rule.port,
                "matched": verdict.matched,
                "wanted": verdict.wanted,
                "actual": verdict.actual,
            }
        )
        return bool(verdict.matched)


def _patch(rule: Rule, data: StandardContext) -> dict[str, Any]:
    patch: dict[str, Any] = {"chosen_rule": rule.label or rule.port}
    if rule.reason:
        patch |= {"reason": rule.reason, "outcome": "silent"}
    return patch
