"""Each vendor's wire format, as far as we speak it: what an answer and an error look like, and what a request must be.

Written by hand after the pages named here; where a page and the installed SDK differ, the SDK's own types decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from personas.providers import Provider, registry
from tests.wire import Asked, Scripted

__all__ = ["VENDORS", "Vendor"]

KEY = "sk-planted-0123456789abcdef"
MODEL = "model-1"


@dataclass(frozen=True)
class Vendor:
    """One vendor's dialect. ``page`` names where it is described and when that was read."""

    key: str
    page: str
    #: The end of an endpoint, and what our request's path must be.
    base: str
    path: str
    answer: Callable[..., dict[str, Any]]
    error: Callable[[str], dict[str, Any]]
    empty: dict[str, Any]
    #: finish reasons: cut off, refused by the content filter
    truncated: str = "length"
    refused: str = "content_filter"
    #: status -> code of the vendor's error
    codes: Mapping[int, str] = field(default_factory=dict)
    #: the vendor's way to refuse content by an error: status, code
    inspection: tuple[int, str] | None = (400, "content_filter")
    headers: Mapping[str, str] = field(default_factory=dict)

    def provider(self, url: str, **config: Any) -> Provider:
        plugin = registry.get(self.key)
        fields = {"allow_private": True, **config}
        return plugin(plugin.Config(**fields), api_key=KEY, endpoint=url + self.base, model_id=MODEL)

    def ok(self, text: str = "您好！", **changes: Any) -> Scripted:
        return Scripted(self.answer(text, **changes))

    def fails(self, status: int, code: str | None = None, **headers: str) -> Scripted:
        return Scripted(self.error(self.codes.get(status, "") if code is None else code), status, headers)

    def check(self, asked: Asked) -> None:
        """Assert what the vendor demands of every request."""
        assert (asked.method, asked.path) == ("POST", self.path)
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.headers["content-type"].startswith("application/json")
        for name, value in self.headers.items():
            assert asked.headers.get(name, "").startswith(value), name
        assert asked.json()["model"] == MODEL


def _openai_answer(text: str | None, finish: str = "stop", usage: bool = True, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10} if usage else None
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{MODEL}-2026",
        "choices": [choice],
        "usage": counts,
    }


def _openai_error(code: str) -> dict[str, Any]:
    return {"error": {"message": f"no: {KEY}", "type": "invalid_request_error", "param": None, "code": code}}


def _dashscope_answer(text: str | None, finish: str = "stop", usage: bool = True, **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    counts = {"usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}} if usage else {}
    return {"request_id": "r-1", "output": {"choices": [choice]}, **counts}


def _dashscope_error(code: str) -> dict[str, Any]:
    return {"request_id": "r-1", "code": code, "message": f"no: {KEY}"}


def _claude_answer(text: str | None, finish: str = "end_turn", usage: bool = True) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": f"{MODEL}-2026",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": finish,
        "stop_sequence": None,
        **({"usage": {"input_tokens": 7, "output_tokens": 3}} if usage else {}),
    }


def _claude_error(code: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": code or "api_error", "message": f"no: {KEY}"}, "request_id": "req_1"}


def _openai_like(key: str, page: str, base: str, **fields: Any) -> Vendor:
    empty = {**_openai_answer("x"), "choices": []}
    return Vendor(key, page, base, f"{base}/chat/completions", _openai_answer, _openai_error, empty, **fields)


VENDORS: dict[str, Vendor] = {
    vendor.key: vendor
    for vendor in (
        _openai_like(
            "openai",
            "https://platform.openai.com/docs/api-reference/chat/create and /docs/guides/error-codes; openai 3.54.0,"
            " as of 2026-11-22",
            "/v1",
            codes={401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"},
        ),
        _openai_like(
            "custom",
            "https://platform.openai.com/docs/api-reference/chat/create, as of 2026-11-22",
            "/v1",
            codes={401: "invalid_api_key"},
        ),
        _openai_like(
            "doubao",
            "https://www.volcengine.com/docs/82379/1299023 (page of 2025-11-07), read 2026-11-22",
            "/api/v3",
            codes={
                400: "InvalidParameter",
                401: "AuthenticationError",
                403: "AccessDenied",
                404: "InvalidEndpointOrModel.NotFound",
                429: "RateLimitExceeded.EndpointRPMExceeded",
                500: "InternalServiceError",
            },
            inspection=(400, "SensitiveContentDetected.Violence"),
        ),
        _openai_like(
            "qwen_pro",
            "https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions, as of 2026-11-22",
            "/compatible-mode/v1",
            codes={400: "invalid_parameter_error", 401: "invalid_api_key", 404: "model_not_found"},
            inspection=(400, "data_inspection_failed"),
        ),
        Vendor(
            "aliyun_qwen",
            "https://help.aliyun.com/zh/dashscope/developer-reference/return-status-code-description and dashscope"
            " 2.0.2, as of 2026-11-22",
            "/api/v1",
            "/api/v1/services/aigc/text-generation/generation",
            _dashscope_answer,
            _dashscope_error,
            {"request_id": "r-1", "output": {"choices": []}, "usage": {}},
            codes={
                400: "InvalidParameter",
                401: "InvalidApiKey",
                403: "AccessDenied",
                404: "ModelNotFound",
                429: "Throttling.RateQuota",
                500: "InternalError.Algo",
                503: "ModelServingError",
            },
            inspection=(400, "DataInspectionFailed"),
            headers={"x-dashscope-sdk-client": "python-sdk/2."},
        ),
        Vendor(
            "claude",
            "https://platform.claude.com/docs/en/api/errors and anthropic 2.12.0 (API version 2026-10-21),"
            " as of 2026-11-22",
            "",
            "/v1/messages",
            _claude_answer,
            _claude_error,
            {**_claude_answer("x"), "content": []},
            truncated="max_tokens",
            refused="refusal",
            codes={
                400: "invalid_request_error",
                401: "authentication_error",
                403: "permission_error",
                404: "not_found_error",
                429: "rate_limit_error",
                500: "api_error",
                503: "overloaded_error",
            },
            # an error for refused content is not documented: only the stop reason is
            inspection=None,
            headers={"anthropic-version": "2026-10-21"},
        ),
    )
}
