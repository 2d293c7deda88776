"""Qwen by Alibaba's Model Studio in its native format, through the ``dashscope`` SDK.

``BaseApi.call`` is what the SDK's ``Generation`` and ``MultiModalConversation`` end in. Those two are gone round: they
copy every message, write 0 where the vendor told no tokens, and the latter uploads a file of this machine when a text
begins with ``file://``. The SDK's HTTP session, which repeats a request after a broken connection, is replaced.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers import Answer, ChatMessage, ChatRequest, ProviderError
from personas.providers._dashscope_codes import DASHSCOPE_KINDS
from personas.providers._fields import Structured, Thinking, structured_field, thinking_field
from personas.providers._openai_wire import response_format
from personas.providers._remote import RemoteConfig, RemoteProvider, error_of_status, error_of_transport
from worktool_ai.lib.http import HttpError

if TYPE_CHECKING:
    from worktool_ai.lib.sdk_session import Urllib3Session

__all__ = ["AliyunQwenConfig", "AliyunQwenProvider"]


class AliyunQwenConfig(RemoteConfig):
    """How Model Studio is asked."""

    structured: Structured = structured_field("json_object")
    thinking: Thinking = thinking_field()
    multimodal: bool = Field(
        default=False,
        title=_("Always by the multimodal service"),
        description=_("Each model lives in one of two services; qwen3.8-max and models that see pictures in this one."),
    )


class AliyunQwenProvider(RemoteProvider):
    """Qwen at Alibaba's own endpoint, in Alibaba's own format."""

    key = "aliyun_qwen"
    label = _("Qwen (Alibaba Model Studio)")
    Config = AliyunQwenConfig
    default_endpoint = "https://dashscope.aliyuncs.com/api/v1"
    error_kinds = DASHSCOPE_KINDS

    @classmethod
    def warm_up(cls) -> None:
        import dashscope.client.base_api  # noqa: F401

        import worktool_ai.lib.sdk_session  # noqa: F401

    def _ask(self, request: ChatRequest) -> Answer:
        multimodal = self.config.multimodal or any(m.images for m in request.messages)
        try:
            response = self._call(request, "multimodal-generation" if multimodal else "text-generation")
        except (HttpError, OSError) as error:
            raise error_of_transport(error) from None
        except ValueError as error:
            raise ProviderError("bad_answer", f"the answer is not usable: {error}") from None
        if response.status_code != 200:
            said = {"code": response.code, "message": response.message}
            raise error_of_status(int(response.status_code), said, response.headers or {}, self.error_kinds)
        return _answer(response.output, response.usage, self.model_id)

    def _call(self, request: ChatRequest, task: str) -> Any:
        from dashscope.client.base_api import BaseApi

        as_parts = task == "multimodal-generation"
        return BaseApi.call(
            model=self.model_id,
            input={"messages": [_message(m, as_parts) for m in request.messages]},
            task_group="aigc",
            task=task,
            function="generation",
            api_key=self.api_key,
            base_address=self.endpoint,
            request_timeout=self._timeout(request),
            session=_session(self.config.allow_private),
            **self._parameters(request),
        )

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "result_format": "message",
            "temperature": request.temperature,
            "max_tokens": self._length_limit(request),
        }
        if self.config.thinking == "off":
            parameters["enable_thinking"] = False
        if wanted := response_format(request, self.config.structured):
            parameters["response_format"] = wanted
        return parameters


@lru_cache(maxsize=2)
def _session(allow_private: bool) -> Urllib3Session:
    from worktool_ai.lib.sdk_session import Urllib3Session

    # It logs whole requests with customers' words when asked for more, and every error with its trace in any case;
    # errors are recorded with the call.
    logging.getLogger("dashscope").setLevel(logging.CRITICAL)
    return Urllib3Session(guarded=not allow_private)


def _message(message: ChatMessage, as_parts: bool) -> dict[str, Any]:
    if not as_parts:
        return {"role": message.role, "content": message.content}
    images = [{"image": image.data_url} for image in message.images]
    return {"role": message.role, "content": [*images, {"text": message.content}]}


def _answer(output: Any, usage: Any, model_id: str) -> Answer:
    """Read the output as it came; the native format names no model."""
    choices = output.get("choices") if isinstance(output, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise ProviderError("bad_answer", "the answer holds no choice")
    if choice.get("finish_reason") == "length":
        raise ProviderError("truncated", "the answer was cut off at its length limit")
    if choice.get("finish_reason") == "content_filter":
        raise ProviderError("content_policy", "the vendor's content filter stopped the answer")
    counts = usage if isinstance(usage, dict) else {}
    return Answer(
        text=_text(message.get("content")),
        model=model_id,
        prompt_tokens=counts.get("input_tokens"),
        completion_tokens=counts.get("output_tokens"),
    )


def _text(content: Any) -> str:
    """Return the text; the multimodal service answers in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
