"""A condition in CEL over the facts of the line."""

from __future__ import annotations

import json

from django.utils.translation import gettext_noop as _
from pydantic import Field, field_validator

from alerts.conditions import Condition, Facts, Verdict
from worktool_ai.lib import conditions
from worktool_ai.lib.conditions import CelType
from worktool_ai.lib.config import PluginConfig

__all__ = ["FACTS", "CelCondition"]

#: What alert rules may ask about: the StandardContext's names, as flows settle them in each line.
FACTS: dict[str, CelType] = {
    "robotId": CelType.STRING,
    "robotName": CelType.STRING,
    "group": CelType.STRING,
    "userName": CelType.STRING,
    "groupName": CelType.STRING,
    "groupRemark": CelType.STRING,
    "roomType": CelType.INT,
    "isGroup": CelType.BOOL,
    "originalMessage": CelType.STRING,
    "rawMessage": CelType.STRING,
    "textType": CelType.INT,
    "atMe": CelType.BOOL,
    "intent": CelType.STRING,
    "intentConfidence": CelType.DOUBLE,
    "topic": CelType.STRING,
    "personaType": CelType.STRING,
    "senderRole": CelType.STRING,
    "alertCode": CelType.STRING,
    "alertLevel": CelType.STRING,
    "variables": CelType.MAP,
}


class CelConfig(PluginConfig):
    """The condition's text, checked when it is saved."""

    expression: str = Field(
        min_length=1,
        max_length=conditions.MAX_CHARS,
        title=_("Condition"),
        description=_('For example: intent == "risk" && isGroup'),
        json_schema_extra={"multiline": True},
    )

    @field_validator("expression")
    @classmethod
    def _compiles(cls, expression: str) -> str:
        conditions.compile(expression, FACTS)
        return expression

    @classmethod
    def example(cls) -> CelConfig:
        return cls(expression='intent == "risk" || originalMessage.contains("起诉")')


class CelCondition(Condition):
    """Holds when the CEL expression is true for the line's facts."""

    key = "cel"
    label = _("Condition (CEL)")
    Config = CelConfig

    def __init__(self, config: CelConfig) -> None:
        super().__init__(config)
        self._condition = conditions.compile(config.expression, FACTS)

    def check(self, facts: Facts) -> Verdict:
        verdict = conditions.explain(self._condition, facts)
        return Verdict(verdict.matched, verdict.wanted, json.dumps(verdict.actual, ensure_ascii=False))
