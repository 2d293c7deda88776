"""What callers hand to the AI layer and get back: plain values that survive JSON, because outcomes are
stored.

No Django here: flow nodes build these and must stay pure. Ids of upper apps (robot, conversation, message,
run) are plain strings that the caller knows; times are aware, durations in seconds unless the name says
``_ms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import TypeAdapter

from personas.providers import ChatMessage, Image
from templates_lib.file_kinds import StoredFile

__all__ = [
    "UNCLEAR",
    "AICallRecord",
    "AIContext",
    "CallKind",
    "CallScope",
    "ChatMessage",
    "GenerateOptions",
    "GenerateReplyResult",
    "GenerateReportResult",
    "HealthResult",
    "Image",
    "IntentRecognitionResult",
    "PersonaSnapshot",
    "PictureOptions",
    "PictureResult",
    "ReplyKind",
    "ReportOptions",
]

#: The honest answer when nobody can tell what was meant.
UNCLEAR = "unclear"

TaskName = Literal["intent", "reply", "report", "health", "picture"]
#: What a model can be needed for. ``audio`` is never asked: the platform sends none.
CallKind = TaskName | Literal["audio"]

#: What a reply does: answers, asks what was meant, asks to type what was sent otherwise, or passes on to a
#: colleague.
ReplyKind = Literal["answer", "ask_back", "ask_for_text", "hand_over"]


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(cls: type) -> TypeAdapter[Any]:
    """Building one costs milliseconds: once per class."""
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


class _Json:
    """Gives a dataclass its JSON document and back."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return a document of JSON types only."""
        document: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Build from :meth:`to_json`'s document; raises ``pydantic.ValidationError``."""
        built: Self = _adapter(cls).validate_python(document)
        return built


@dataclass(frozen=True, slots=True)
class AIContext(_Json):
    """What surrounds a line whose intent is asked for. Without ``persona_id`` the ``persona_type`` decides.

    ``deadline_s`` bounds the whole chain of models. Below ``threshold`` (0..1) an intent becomes ``unclear``.
    """

    persona_id: str | None = None
    persona_type: str | None = None
    history: tuple[ChatMessage, ...] = ()
    is_group: bool = False
    at_me: bool = False
    text_type: int = 1
    threshold: float = 0.6
    deadline_s: float = 8.0


@dataclass(frozen=True, slots=True)
class IntentRecognitionResult(_Json):
    """``topic`` is the name of a template category or None; ``confidence`` 0..1; ``why`` one line for
    operators.

    ``needs_human`` repeats the intent's own mark: a person must be told. ``provider`` and ``model`` say who
    decided.
    """

    intent: str
    topic: str | None
    confidence: float
    why: str
    needs_human: bool = False
    provider: str = "local"
    model: str = ""


@dataclass(frozen=True, slots=True)
class GenerateOptions(_Json):
    """How a reply is wanted.

    ``values`` fill the variables of templates (camelCase: userName, botName, groupName …) and are the facts
    a model may use. ``seed`` (the message id) makes the choice among templates the same when a run is
    repeated. ``kind`` is what the caller decided; a line that needs a human gets a calm answer that says so
    whatever ``kind`` says.
    """

    persona_id: str | None = None
    persona_type: str | None = None
    intent: str = UNCLEAR
    topic: str | None = None
    kind: ReplyKind = "answer"
    is_group: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    #: Further facts, which no template knows; ``notes`` (colleagues' remarks) are never told to the customer.
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    #: Further instructions of ours for a model (a node's own), never a customer's words.
    instructions: str = ""
    max_hints: int = 3
    #: Earlier lines shown as they are, at most; of what is older only a summary.
    shown_turns: int = 10
    deadline_s: float = 8.0


@dataclass(frozen=True, slots=True)
class GenerateReplyResult(_Json):
    """A checked reply. ``template`` is the slug of the template that it was made from, None for a model's
    own words; ``file`` is what that template sends after the text, or alone when the text is empty. ``variants``
    are other texts that may be said in its place.

    ``kind`` tells what the text really does; it can differ from what was asked (no fitting template: handed
    over). ``attempts`` counts calls of the whole chain, the successful one included.
    """

    text: str
    kind: ReplyKind
    source: Literal["model", "template"]
    provider: str
    model: str = ""
    template: str | None = None
    file: StoredFile | None = None
    variants: tuple[str, ...] = ()
    persona_id: str | None = None
    persona_type: str = ""
    attempts: int = 1
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ReportOptions(_Json):
    """What a report is about; ``instructions`` are ours, never a customer's words."""

    title: str
    instructions: str = ""
    persona_id: str | None = None
    max_tokens: int = 2000
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class GenerateReportResult(_Json):
    text: str
    provider: str
    model: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class PictureOptions(_Json):
    """Whose model looks at a picture, and what for; ``question`` is ours, never a customer's words."""

    persona_id: str | None = None
    persona_type: str | None = None
    question: str = ""
    max_tokens: int = 500
    deadline_s: float = 15.0


@dataclass(frozen=True, slots=True)
class PictureResult(_Json):
    """What is to be seen on a picture, in a model's words. They repeat what a customer sent: data, as his text is."""

    text: str
    provider: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class HealthResult(_Json):
    """One real question to a model: its answer and its time, or what went wrong."""

    ok: bool
    answer: str
    duration_ms: int
    error_kind: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class AICallRecord(_Json):
    """One attempt at one model, as it becomes an AICall row. Unknown tokens and cost are None, never 0."""

    id: UUID
    task: TaskName
    provider: str
    model_id: UUID | None
    model_name: str
    persona_id: UUID | None
    attempt: int
    succeeded: bool
    duration_ms: int
    created_at: datetime
    error_kind: str = ""
    error: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: Decimal | None = None
    #: What counts in budgets while the cost is unknown.
    estimate: Decimal | None = None
    prompt_version_id: UUID | None = None
    is_test: bool = False
    robot_id: str | None = None
    room_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    run_id: str | None = None
    node_id: str = ""


@dataclass(slots=True)
class CallScope:
    """Whose calls these are, and the calls made so far, in order: the caller stores them with its own
    rows.
    """

    robot_id: str | None = None
    room_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    run_id: str | None = None
    node_id: str = ""
    #: Asked by a person who tries something out; nothing of it reaches a customer.
    is_test: bool = False
    calls: list[AICallRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PersonaSnapshot(_Json):
    """A persona as it was when last read. ``model_id`` is the row of its AI model, None for the local one.

    ``version_id`` names the prompt version that holds this prompt, None for one that was never numbered. An answer
    that holds the ``canary`` has leaked the prompt. ``history_tokens`` bounds what is shown of earlier lines.
    """

    id: UUID
    slug: str
    name: str
    role_type: str
    system_prompt: str
    temperature: float
    max_tokens: int
    capabilities: tuple[str, ...] = ()
    model_id: UUID | None = None
    version_id: UUID | None = None
    canary: str = field(default="", repr=False)
    history_tokens: int = 1500
