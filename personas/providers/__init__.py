"""AI providers: one file each (``personas/providers/<key>.py``), found by folder.

A provider turns our typed requests into its vendor's calls and its vendor's errors into ours. It is synchronous: a
thousand calls wait in a thousand greenlets. It imports its SDK on first use, keeps SDK retries off (there is one retry
loop, in ``personas.service``) and obeys the deadline that it is given.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from worktool_ai.lib.registry import Plugin, Registry

__all__ = [
    "RETRYABLE",
    "TEXT",
    "TEXT_AND_IMAGES",
    "Answer",
    "ChatMessage",
    "ChatRequest",
    "ErrorKind",
    "Image",
    "MediaType",
    "Provider",
    "ProviderError",
    "registry",
]

ErrorKind = Literal[
    "auth",
    "quota",
    "rate_limit",
    "content_policy",
    "bad_request",
    "overloaded",
    "timeout",
    "truncated",
    "unreachable",
    "bad_answer",
]

#: Kinds for which another attempt with the same model can help.
RETRYABLE: frozenset[str] = frozenset({"rate_limit", "overloaded", "timeout", "unreachable", "bad_answer"})


#: What a model that reads and writes text can be used for (``personas.models.Capability``).
TEXT: frozenset[str] = frozenset({"intent_recognition", "service_reply", "conversion", "report", "chat"})
#: No provider offers voice_processing: the platform sends no audio, the robot asks for text.
TEXT_AND_IMAGES: frozenset[str] = TEXT | {"image_analysis"}

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
#: Characters of base64, so about 7.5 MB of picture; vendors refuse larger ones.
MAX_IMAGE_CHARS = 10_000_000


class ProviderError(Exception):
    """A vendor's error in our words. ``retry_after`` in seconds, where the vendor named one."""

    def __init__(self, kind: ErrorKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in base64 (no line breaks); raises ``ValueError`` for what no vendor takes."""

    media_type: MediaType
    data: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.media_type not in get_args(MediaType):
            raise ValueError(f"pictures of type {self.media_type} cannot be looked at")
        if not 0 < len(self.data) <= MAX_IMAGE_CHARS:
            raise ValueError("the picture is empty or too large")

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """``images`` belong to a ``user`` message and stand before its text."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model. ``timeout`` in seconds bounds the whole call.

    ``as_json`` asks for one JSON object, ``schema`` (JSON Schema) says which; the prompt asks for it as well, because
    not every model knows how to be held to it.
    """

    messages: tuple[ChatMessage, ...]
    temperature: float
    max_tokens: int
    timeout: float
    as_json: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. Token counts are None where the vendor did not tell."""

    text: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    raw: dict[str, Any] = field(default_factory=dict)


class Provider(Plugin):
    """One vendor. Built per model with its ``Config``, its decrypted key, endpoint and model name."""

    #: False for a provider that needs no key and no network.
    is_remote: ClassVar[bool] = True
    #: What a model of this provider must have filled in before it can be asked.
    needs_key: ClassVar[bool] = True
    needs_endpoint: ClassVar[bool] = False
    #: Asked where the model names no endpoint of its own.
    default_endpoint: ClassVar[str] = ""
    #: Capabilities that a model of this provider can have at most.
    offers: ClassVar[frozenset[str]] = TEXT

    def __init__(self, config: Any, *, api_key: str, endpoint: str, model_id: str) -> None:
        self.config = config
        self.api_key = api_key
        self.endpoint = endpoint or self.default_endpoint
        self.model_id = model_id

    @classmethod
    def warm_up(cls) -> None:
        """Import what the first call would have to wait for."""

    @abstractmethod
    def chat(self, request: ChatRequest) -> Answer:
        """Ask the model; raises :class:`ProviderError`."""


registry: Registry[Provider] = Registry("AI provider", Provider, "personas.providers")  # type: ignore[type-abstract]
