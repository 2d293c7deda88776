"""What the local model makes of a sentence, for people who edit its rules and templates. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass

from personas import local_model
from personas.chain import Chain
from personas.selection import BUILT_IN
from personas.types import CallScope, GenerateOptions, GenerateReplyResult, IntentRecognitionResult

__all__ = ["EXAMPLE_VALUES", "TriedLine", "try_line"]

#: Values that every line brings along, as examples.
EXAMPLE_VALUES = {"userName": "张三", "botName": "小助手", "groupName": "客服群"}

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class TriedLine:
    found: IntentRecognitionResult
    reply: GenerateReplyResult


def try_line(text: str) -> TriedLine:
    """Recognise and answer a line by the rules and templates in force, as if it were said in a group."""
    chain = Chain(CallScope(), DEADLINE_S)
    found = local_model.recognise(chain, BUILT_IN, text)
    options = GenerateOptions(intent=found.intent, topic=found.topic, is_group=True, values=EXAMPLE_VALUES, seed=text)
    return TriedLine(found, local_model.reply(chain, BUILT_IN, text, options))
