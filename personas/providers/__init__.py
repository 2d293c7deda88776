"""AI providers: one file each (``personas/providers/<key>.py``), found by folder.

A provider turns our typed requests into its vendor's calls and its vendor's errors into ours. It is synchronous: a
thousand calls wait in a thousand greenlets. It imports its SDK on first use, keeps SDK retries off (there is one retry
loop, in ``personas.service``) and obeys the deadline that it is given.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from worktool_ai.lib.registry import Plugin, Registry

__all__ = [
    "RETRYABLE",
    "Answer",
    "ChatMessage",
    "ChatRequest",
    "ErrorKind",
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


class ProviderError(Exception):
    """A vendor's error in our words. ``retry_after`` in seconds, where the vendor named one."""

    def __init__(self, kind: ErrorKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model. ``timeout`` in seconds; ``as_json`` asks for one JSON object."""

    messages: tuple[ChatMessage, ...]
    temperature: float
    max_tokens: int
    timeout: float
    as_json: bool = False


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

    def __init__(self, config: Any, *, api_key: str, endpoint: str, model_id: str) -> None:
        self.config = config
        self.api_key = api_key
        self.endpoint = endpoint
        self.model_id = model_id

    @abstractmethod
    def chat(self, request: ChatRequest) -> Answer:
        """Ask the model; raises :class:`ProviderError`."""


registry: Registry[Provider] = Registry("AI provider", Provider, "personas.providers")  # type: ignore[type-abstract]
