"""Any model behind an OpenAI-compatible endpoint, through the ``openai`` SDK.

The SDK is imported on first use (it costs 60 MB). Its own retries are off, its ``create()`` is gone round and its
HTTP client is replaced: each of these costs more than all of our work on a message (docs/decisions).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers import Answer, ChatRequest, ErrorKind, Provider, ProviderError
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.http import Refused

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

__all__ = ["CustomProvider"]

#: Seconds for a connection; the rest of a call's time is the model's.
CONNECT_S = 5.0

#: What vendors write into ``error.code`` or ``error.type``, whatever the status.
_KINDS_BY_CODE: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "data_inspection_failed": "content_policy",
    "invalid_api_key": "auth",
}
_KINDS_BY_STATUS: dict[int, ErrorKind] = {
    400: "bad_request",
    401: "auth",
    402: "quota",
    403: "auth",
    404: "bad_request",
    408: "timeout",
    413: "bad_request",
    422: "bad_request",
    429: "rate_limit",
}


class CustomConfig(PluginConfig):
    """How to talk to the endpoint."""

    allow_private: bool = Field(
        default=False,
        title=_("Private addresses allowed"),
        description=_("Only for a model of your own on this machine or network; refused otherwise."),
    )
    json_mode: bool = Field(
        default=True, title=_("Knows JSON output"), description=_("Whether it takes response_format json_object.")
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens",
        title=_("Name of the length limit"),
        description=_("Newer reasoning models want max_completion_tokens."),
    )
    timeout_s: float = Field(default=30.0, ge=1, le=120, title=_("Seconds for one call"))


class CustomProvider(Provider):
    """An OpenAI-compatible endpoint: another vendor, a gateway, or a model of your own."""

    key = "custom"
    label = _("Custom (OpenAI-compatible)")
    Config = CustomConfig
    needs_key = False
    needs_endpoint = True

    def chat(self, request: ChatRequest) -> Answer:
        import openai

        client = _client(self.endpoint, self.api_key, self.config.allow_private)
        try:
            completion = self._post(client, request)
        except openai.APIStatusError as error:
            raise _from_status(error) from None
        except openai.APITimeoutError:
            raise ProviderError("timeout", "the model did not answer in time") from None
        except openai.APIConnectionError as error:
            raise ProviderError("unreachable", f"no connection to the endpoint: {error.__cause__ or error}") from None
        except Refused as error:
            raise ProviderError("bad_request", str(error)) from None
        except (openai.APIError, ValueError) as error:
            raise ProviderError("bad_answer", f"the answer is not usable: {error}") from None
        return _answer(completion, self.model_id)

    def _post(self, client: openai.OpenAI, request: ChatRequest) -> ChatCompletion:
        import httpx2
        from openai.types.chat import ChatCompletion

        seconds = min(request.timeout, self.config.timeout_s)
        timeout = httpx2.Timeout(seconds, connect=min(seconds, CONNECT_S))
        return client.post(
            "/chat/completions", cast_to=ChatCompletion, body=self._body(request), options={"timeout": timeout}
        )

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model_id,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "temperature": request.temperature,
            self.config.max_tokens_field: request.max_tokens,
        }
        if request.as_json and self.config.json_mode:
            body["response_format"] = {"type": "json_object"}
        return body


@lru_cache(maxsize=64)
def _client(endpoint: str, api_key: str, allow_private: bool) -> openai.OpenAI:
    """One client per endpoint and key in the process; its connections are shared by all calls."""
    import httpx2
    import openai

    from worktool_ai.lib.sdk_transport import Urllib3Transport

    transport = Urllib3Transport(maxsize=1200, guarded=not allow_private)
    return openai.OpenAI(
        base_url=endpoint,
        api_key=api_key or "none",
        max_retries=0,
        http_client=httpx2.Client(transport=transport, timeout=60.0),
    )


def _answer(completion: Any, model_id: str) -> Answer:
    """Read a completion as it came: the SDK does not validate, so any part can be missing."""
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ProviderError("bad_answer", "the answer holds no choice")
    choice = choices[0]
    if choice.finish_reason == "content_filter" or getattr(choice.message, "refusal", None):
        raise ProviderError("content_policy", "the vendor's content filter stopped the answer")
    if choice.finish_reason == "length":
        raise ProviderError("truncated", "the answer was cut off at its length limit")
    usage = getattr(completion, "usage", None)
    return Answer(
        text=choice.message.content or "",
        model=getattr(completion, "model", None) or model_id,
        prompt_tokens=getattr(usage, "prompt_tokens", None),
        completion_tokens=getattr(usage, "completion_tokens", None),
    )


def _from_status(error: openai.APIStatusError) -> ProviderError:
    status = error.status_code
    body = error.body if isinstance(error.body, dict) else {}
    named = (_KINDS_BY_CODE.get(str(body.get(field))) for field in ("code", "type"))
    default: ErrorKind = "overloaded" if status >= 500 else "bad_request"
    kind = next((kind for kind in named if kind), None) or _KINDS_BY_STATUS.get(status, default)
    message = str(body.get("message") or error.message)[:500]
    return ProviderError(kind, f"HTTP {status}: {message}", _retry_after(error.response.headers))


def _retry_after(headers: Any) -> float | None:
    """Seconds; a date instead of a number is ignored: our own back-off is shorter than its grain."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None
