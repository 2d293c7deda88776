"""Claude by Anthropic, through the ``anthropic`` SDK.

As of API version 2026-10-21, which the SDK sends, the key goes out as a bearer token and a temperature is refused: a
persona's temperature has no effect here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers import Answer, ChatMessage, ChatRequest, ErrorKind, ProviderError
from personas.providers._fields import Thinking, structured_field, thinking_field
from personas.providers._remote import ABOUT_US, CONNECT_S, RemoteConfig, RemoteProvider, error_of_sdk, member

if TYPE_CHECKING:
    import anthropic

__all__ = ["ClaudeConfig", "ClaudeProvider"]

#: The API wants a customer's turn first; a conversation that the robot opened gets this one.
OPENING = "（对话开始）"

_STOPPED: dict[str, tuple[ErrorKind, str]] = {
    "max_tokens": ("truncated", "the answer was cut off at its length limit"),
    "model_context_window_exceeded": ("truncated", "the conversation is longer than the model can take"),
    "refusal": ("content_policy", "the vendor's content filter stopped the answer"),
}


class ClaudeConfig(RemoteConfig):
    """How Anthropic is asked."""

    structured: Literal["json_schema", "text"] = structured_field("json_schema")
    thinking: Thinking = thinking_field()
    effort: Literal["default", "low", "medium", "high"] = Field(
        default="default",
        title=_("Reasoning effort"),
        description=_("Less effort answers sooner. Older models know none and want «default»."),
    )


class ClaudeProvider(RemoteProvider):
    """Claude at Anthropic's own endpoint."""

    key = "claude"
    label = _("Claude (Anthropic)")
    Config = ClaudeConfig
    default_endpoint = "https://api.anthropic.com"
    # anthropic 2.12.0: types/shared/error_type.py and _error_classes.py
    error_kinds = {
        "authentication_error": "auth",
        "permission_error": "auth",
        "billing_error": "quota",
        "contract_spend_limit_reached": "quota",
        "enforced_spend_limit_reached": "quota",
        "rate_limit_error": "rate_limit",
        "timeout_error": "timeout",
        "overloaded_error": "overloaded",
        "api_error": "overloaded",
    }

    @classmethod
    def warm_up(cls) -> None:
        import anthropic  # noqa: F401

        import worktool_ai.lib.sdk_transport  # noqa: F401

    def _ask(self, request: ChatRequest) -> Answer:
        import anthropic

        client = _client(self.endpoint, self.api_key, self.config.allow_private)
        try:
            message = self._post(client, request)
        except (anthropic.AnthropicError, ValueError) as error:
            raise error_of_sdk(anthropic, error, self.error_kinds) from None
        return _answer(message, self.model_id)

    def _post(self, client: anthropic.Anthropic, request: ChatRequest) -> Any:
        """Return the parsed body; raises the SDK's errors, and ``ValueError`` for what is no JSON."""
        import httpx2

        seconds = self._timeout(request)
        timeout = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_S))
        body = self._body(request)
        response = client.post("/v1/messages", cast_to=httpx2.Response, body=body, options={"timeout": timeout})
        return response.json()

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model_id,
            "max_tokens": self._length_limit(request),
            "messages": _messages(request.messages),
        }
        if system := "\n\n".join(m.content for m in request.messages if m.role == "system"):
            body["system"] = system
        if self.config.thinking == "off":
            body["thinking"] = {"type": "disabled"}
        if output := self._output(request):
            body["output_config"] = output
        return body

    def _output(self, request: ChatRequest) -> dict[str, Any]:
        output: dict[str, Any] = {} if self.config.effort == "default" else {"effort": self.config.effort}
        if request.as_json and request.schema and self.config.structured == "json_schema":
            output["format"] = {"type": "json_schema", "schema": request.schema}
        return output


def _messages(messages: tuple[ChatMessage, ...]) -> list[dict[str, Any]]:
    said = [_message(m) for m in messages if m.role != "system"]
    if said and said[0]["role"] == "assistant":
        said.insert(0, {"role": "user", "content": OPENING})
    return said


def _message(message: ChatMessage) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [
        {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
        for image in message.images
    ]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.content}]}


@lru_cache(maxsize=64)
def _client(endpoint: str, api_key: str, allow_private: bool) -> anthropic.Anthropic:
    """One client per endpoint and key in the process; connections are shared by all of them."""
    import anthropic

    from worktool_ai.lib.sdk_transport import shared_client

    return anthropic.Anthropic(
        base_url=endpoint,
        api_key=api_key,
        max_retries=0,
        open_telemetry=False,
        http_client=shared_client(allow_private),
        default_headers=dict.fromkeys(ABOUT_US, anthropic.Omit()),  # type: ignore[arg-type]  # leaves a header out
    )


def _answer(message: Any, model_id: str) -> Answer:
    """Read a message as it came: any part can be missing."""
    if stopped := _STOPPED.get(member(message, "stop_reason") or ""):
        raise ProviderError(*stopped)
    content = member(message, "content")
    blocks = content if isinstance(content, list) else []
    texts = [member(block, "text") or "" for block in blocks if member(block, "type") == "text"]
    if not texts:
        raise ProviderError("bad_answer", "the answer holds no text")
    usage = member(message, "usage")
    return Answer(
        text="".join(texts),
        model=member(message, "model") or model_id,
        prompt_tokens=member(usage, "input_tokens"),
        completion_tokens=member(usage, "output_tokens"),
    )
