from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.content import TEXT
from flows.context import StandardContext
from flows.nodes import AskModel, Effect, Next, Node, NodeContext, NodeError
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _

#: Topics whose answer promises that a person will come back to the customer.
HANDOVER_TOPICS = frozenset({"转人工", "投诉处理"})

_CHINA = timezone(timedelta(hours=8))
_WEEKDAYS = "一二三四五六日"


class AiReply(Node):
    """Writes the answer: persona, history, facts and template hints; checked before it is used."""

    key: ClassVar[str] = "ai_reply"
    label: ClassVar[str] = "AI客服回复"
    does: ClassVar[str] = _(
        "Writes the answer with persona, history and templates; falls back until a template answers."
    )
    ports: ClassVar[tuple[str, ...]] = ("next", "error")

    class Config(PluginConfig):
        style: Literal["answer", "ask_back", "hand_over"] = Field(
            default="answer",
            title=_("Kind of answer"),
            json_schema_extra={
                "labels": {
                    "answer": _("answer the question"),
                    "ask_back": _("ask back"),
                    "hand_over": _("say that a colleague takes over"),
                }
            },
        )
        history_lines: int = Field(default=10, ge=0, le=40, title=_("Earlier lines shown to the model"))
        timeout_s: float = Field(default=20, gt=0, le=120, title=_("Time limit (s)"))

    def run(self, ctx: NodeContext) -> Effect:
        data = ctx.data
        history = ctx.history if self.config.history_lines else ()
        return AskModel(
            task="reply",
            text=data.words,
            persona_id=data.persona_id,
            persona_type=data.persona_type,
            style=self._style(data),
            intent=data.intent,
            topic=data.topic,
            history=tuple((line.role, line.text) for line in history),
            facts={
                "userName": data.user_name,
                "botName": data.robot_name,
                "groupName": data.group_name or "",
            },
            known={"现在": _china_time(ctx.now), "场合": "客户群" if data.is_group else "私聊"},
            notes=_notes(ctx),
            shown_turns=self.config.history_lines,
            is_private=not data.is_group,
            timeout_s=self.config.timeout_s,
        )

    def _style(self, line: StandardContext) -> Literal["answer", "ask_back", "ask_for_text", "hand_over"]:
        if line.text_type != TEXT and not line.words:
            return "ask_for_text"
        style: Literal["answer", "ask_back", "hand_over"] = self.config.style
        return style

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        text = (outcome.get("text") or "").strip()
        file = outcome.get("file")
        if not text and not file:
            raise NodeError(outcome.get("error") or "no model and no template gave an answer")
        template = outcome.get("template")
        patch: dict[str, Any] = {"ai_response": text, "template": template, "reason": self._reason(ctx, effect)}
        # what an answer brings, and what one that it replaces has left
        if file or ctx.data.answer_file:
            patch["answer_file"] = file
        if outcome.get("variants") or ctx.data.answer_variants:
            patch["answer_variants"] = tuple(outcome.get("variants") or ())
        return Next(
            patch=patch,
            detail={"source": outcome.get("source", ""), "model": outcome.get("model", "")},
            events=(("ai_reply_generated", {"aiResponse": text, "template": template}),),
        )

    def _reason(self, ctx: NodeContext, effect: Effect) -> str:
        style = effect.style if isinstance(effect, AskModel) else self.config.style
        if style in ("ask_back", "ask_for_text"):
            return "asked_back"
        # somebody was really told: only then do we say that it was handed over
        if ctx.data.deliveries and (ctx.data.intent == "risk" or ctx.data.topic in HANDOVER_TOPICS):
            return "handed_over"
        return "answered"


def _china_time(moment: datetime) -> str:
    local = moment.astimezone(_CHINA)
    return f"{local:%Y年%m月%d日} 星期{_WEEKDAYS[local.weekday()]} {local:%H:%M}（北京时间）"


def _notes(ctx: NodeContext) -> dict[str, str]:
    """Remarks that say more than the name: colleagues wrote them, for themselves."""
    data, remark = ctx.data, ctx.robot.private_address
    notes = {}
    if data.group_remark and data.group_remark != data.group_name:
        notes["群备注"] = data.group_remark
    if remark and remark != data.user_name:
        notes["客户备注"] = remark
    return notes
