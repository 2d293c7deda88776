"""The wire format of OpenAI's chat completions, which most vendors speak, through the ``openai`` SDK.

The SDK is imported on first use (it costs 50 MB and half a second). Its own retries are off; its ``create()``, its
models of answers and its HTTP client are gone round: each costs more than all of our work on a message
(docs/providers.md).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers import Answer, ChatMessage, ChatRequest, ErrorKind, ProviderError
from personas.providers._fields import MaxTokensField, Structured, max_tokens_field, structured_field
from personas.providers._remote import ABOUT_US, CONNECT_S, RemoteConfig, RemoteProvider, error_of_sdk, member
from worktool_ai.lib.lean_imports import without

if TYPE_CHECKING:
    import openai

__all__ = ["OPENAI_KINDS", "OpenAIWireConfig", "OpenAIWireProvider", "response_format"]

OPENAI_KINDS: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "invalid_api_key": "auth",
}


class OpenAIWireConfig(RemoteConfig):
    """How to talk to an endpoint that speaks OpenAI's format."""

    structured: Structured = structured_field("json_object")
    max_tokens_field: MaxTokensField = max_tokens_field("max_tokens")
    send_temperature: bool = Field(
        default=True, title=_("Send the temperature"), description=_("Reasoning models refuse one.")
    )


class OpenAIWireProvider(RemoteProvider):
    """Base of the vendors that speak OpenAI's format; a file each says in what they differ."""

    Config: ClassVar[type[OpenAIWireConfig]] = OpenAIWireConfig
    error_kinds = OPENAI_KINDS

    @classmethod
    def warm_up(cls) -> None:
        # its client for aiohttp, which is there for another vendor's SDK, takes 5 MB
        with without("aiohttp"):
            import openai  # noqa: F401

        import worktool_ai.lib.sdk_transport  # noqa: F401

    def _ask(self, request: ChatRequest) -> Answer:
        import openai

        client = _client(self.endpoint, self.api_key, self.config.allow_private)
        try:
            completion = self._post(client, request)
        except (openai.OpenAIError, ValueError) as error:
            raise error_of_sdk(openai, error, self.error_kinds) from None
        return _answer(completion, self.model_id)

    def _post(self, client: openai.OpenAI, request: ChatRequest) -> Any:
        """Return the parsed body; raises the SDK's errors, and ``ValueError`` for what is no JSON."""
        import httpx2

        seconds = self._timeout(request)
        timeout = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_S))
        # a relative address would be parsed twice
        url = f"{self.endpoint.rstrip('/')}/chat/completions"
        response = client.post(url, cast_to=httpx2.Response, body=self._body(request), options={"timeout": timeout})
        return response.json()

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model_id,
            "messages": [_message(m) for m in request.messages],
            self.config.max_tokens_field: self._length_limit(request),
        }
        if self.config.send_temperature:
            body["temperature"] = request.temperature
        if wanted := response_format(request, self.config.structured):
            body["response_format"] = wanted
        return {**body, **self._extra()}

    def _extra(self) -> dict[str, Any]:
        """Fields that this vendor alone knows."""
        return {}


def response_format(request: ChatRequest, structured: Structured) -> dict[str, Any] | None:
    """Return the field of the same name, None where the prompt alone must do."""
    if not request.as_json or structured == "text":
        return None
    if structured == "json_schema" and request.schema:
        named = {"name": "answer", "strict": True, "schema": request.schema}
        return {"type": "json_schema", "json_schema": named}
    return {"type": "json_object"}


def _message(message: ChatMessage) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [{"type": "image_url", "image_url": {"url": image.data_url}} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.content}]}


@lru_cache(maxsize=64)
def _client(endpoint: str, api_key: str, allow_private: bool) -> openai.OpenAI:
    """One client per endpoint and key in the process; connections are shared by all of them."""
    import openai

    from worktool_ai.lib.sdk_transport import shared_client

    return openai.OpenAI(
        base_url=endpoint,
        api_key=api_key or "none",
        max_retries=0,
        http_client=shared_client(allow_private),
        default_headers=dict.fromkeys(ABOUT_US, openai.Omit()),  # type: ignore[arg-type]  # leaves a header out
    )


def _answer(completion: Any, model_id: str) -> Answer:
    """Read a completion as it came: any part can be missing."""
    choices = member(completion, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = member(choice, "message")
    if message is None:
        raise ProviderError("bad_answer", "the answer holds no choice")
    if member(choice, "finish_reason") == "content_filter" or member(message, "refusal"):
        raise ProviderError("content_policy", "the vendor's content filter stopped the answer")
    if member(choice, "finish_reason") == "length":
        raise ProviderError("truncated", "the answer was cut off at its length limit")
    usage = member(completion, "usage")
    return Answer(
        text=member(message, "content") or "",
        model=member(completion, "model") or model_id,
        prompt_tokens=member(usage, "prompt_tokens"),
        completion_tokens=member(usage, "completion_tokens"),
    )
