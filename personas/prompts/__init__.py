"""What remote models are told. A customer's text is data: escaped, fenced, and named as data in the instructions.

Prompts are Chinese because what customers read is Chinese. Each kind of question has its *parts* (what varies from
call to call) and a pure function that builds the messages from them: an AI call stores the parts, and whoever looks
at it later builds the same messages again.
"""

from personas.prompts.fences import LINE_CHARS, fence
from personas.prompts.intents import (
    BadIntentAnswer,
    IntentParts,
    ParsedIntent,
    intent_messages,
    intent_schema,
    parse_intent,
)
from personas.prompts.others import picture_messages, report_messages
from personas.prompts.parts import Mend, Voice, digest
from personas.prompts.replies import ReplyParts, reply_messages
from personas.prompts.tokens import estimate_messages, estimate_tokens
from personas.prompts.turns import bounded_turns

__all__ = [
    "LINE_CHARS",
    "BadIntentAnswer",
    "IntentParts",
    "Mend",
    "ParsedIntent",
    "ReplyParts",
    "Voice",
    "bounded_turns",
    "digest",
    "estimate_messages",
    "estimate_tokens",
    "fence",
    "intent_messages",
    "intent_schema",
    "parse_intent",
    "picture_messages",
    "reply_messages",
    "report_messages",
]
