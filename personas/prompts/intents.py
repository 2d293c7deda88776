"""Asking for intent and topic of a line, and reading the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from personas.prompts.fences import DATA_RULE, fence, fenced_turns
from personas.prompts.parts import Mend, mended
from personas.selection import Cast
from personas.types import UNCLEAR, ChatMessage

__all__ = ["BadIntentAnswer", "IntentParts", "ParsedIntent", "intent_messages", "intent_schema", "parse_intent"]

#: Earlier lines that an intent is judged by.
TURNS = 6


class BadIntentAnswer(ValueError):
    """A model's answer is not the JSON that was asked for; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ParsedIntent:
    intent: str
    topic: str | None
    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class IntentParts:
    """What differs between two questions for an intent."""

    line: str
    turns: tuple[ChatMessage, ...] = ()
    mend: Mend | None = None

    def kept(self) -> dict[str, Any]:
        """Return what an AI call stores; nothing that is empty."""
        kept = {
            "line": self.line,
            "turns": [[turn.role, turn.content] for turn in self.turns[-TURNS:]],
            "mend": asdict(self.mend) if self.mend else None,
        }
        return {name: value for name, value in kept.items() if value}

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> IntentParts:
        return cls(
            line=kept.get("line", ""),
            turns=tuple(ChatMessage(role, content) for role, content in kept.get("turns", ())),
            mend=Mend(**kept["mend"]) if kept.get("mend") else None,
        )

    def mended(self, answer: str, problem: BadIntentAnswer) -> IntentParts:
        """Return the question that shows the model what was wrong with its answer."""
        request = f"上面的回答不能用：{problem}。请只输出要求的 JSON 对象。"
        return IntentParts(self.line, self.turns, Mend(answer, request))


def intent_messages(parts: IntentParts, cast: Cast) -> tuple[ChatMessage, ...]:
    """Ask for intent and topic of a line as one JSON object."""
    asked = (
        ChatMessage("system", _instructions(cast)),
        *fenced_turns(parts.turns[-TURNS:]),
        ChatMessage("user", fence(parts.line)),
    )
    return mended(asked, parts.mend)


def _instructions(cast: Cast) -> str:
    intents = "\n".join(f"- {i.key}: {i.name}。{i.description}" for i in cast.intents.values())
    return f"""你判断客户最后一句话的意图和话题。{DATA_RULE}

意图（只能选一个 key）：
{intents}

话题（只能选一个名字，或 null）：
{"、".join(cast.topics)}

只输出一个 JSON 对象，不要别的文字：
{{"intent": "<key>", "topic": "<名字>" 或 null, "confidence": 0 到 1 的小数, "why": "一句话的依据"}}
拿不准就用 "{UNCLEAR}"。"""


def intent_schema(cast: Cast) -> dict[str, Any]:
    """Return the JSON Schema of the answer, in the part of it that all vendors know."""
    topics = {"type": "string", "enum": list(cast.topics)}
    return {
        "type": "object",
        "properties": {
            "intent": {"type": "string", "enum": list(cast.intents)},
            "topic": {"anyOf": [topics, {"type": "null"}]} if cast.topics else {"type": "null"},
            "confidence": {"type": "number"},
            "why": {"type": "string"},
        },
        "required": ["intent", "topic", "confidence", "why"],
        "additionalProperties": False,
    }


def parse_intent(answer: str, cast: Cast) -> ParsedIntent:
    """Read a model's JSON; raises :class:`BadIntentAnswer`. A topic that we do not have counts as none."""
    document = _json_object(answer)
    intent = document.get("intent")
    if not isinstance(intent, str) or intent not in cast.intents:
        raise BadIntentAnswer(f"intent 必须是 {'、'.join(cast.intents)} 之一")
    confidence = document.get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise BadIntentAnswer("confidence 必须是 0 到 1 的数字")
    topic = document.get("topic")
    known = topic if isinstance(topic, str) and topic in cast.topics else None
    return ParsedIntent(intent, known, float(confidence), str(document.get("why") or "")[:300])


def _json_object(answer: str) -> dict[str, Any]:
    """Find the object in an answer; vendors like to wrap it into a code fence or a sentence."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        document = json.loads(answer[start : end + 1]) if start >= 0 else None
    except ValueError as error:
        raise BadIntentAnswer(f"不是合法的 JSON（{error}）") from None
    if not isinstance(document, dict):
        raise BadIntentAnswer("回答里没有 JSON 对象")
    return document
