"""What all providers with a network have in common: settings, error translation, and keys that never leave."""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers import TEXT_AND_IMAGES, Answer, ChatRequest, ErrorKind, Provider, ProviderError
from worktool_ai.lib import logs
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.http import NotSent, Refused
from worktool_ai.lib.redaction import redact

__all__ = [
    "ABOUT_US",
    "CONNECT_S",
    "RemoteConfig",
    "RemoteProvider",
    "error_of_sdk",
    "error_of_status",
    "error_of_transport",
    "member",
]

logger = logs.get_logger(__name__)

#: What the SDKs tell vendors about the machine they run on: left out, for each header costs time in three libraries.
ABOUT_US = tuple(
    f"X-Stainless-{what}" for what in ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version")
)
#: Seconds for a connection; the rest of a call's time is the model's.
CONNECT_S = 5.0
#: Characters of a vendor's own words that are kept.
MESSAGE_CHARS = 500

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
    504: "timeout",
}


class RemoteConfig(PluginConfig):
    """How a vendor is asked. Key, endpoint and model name are fields of the model itself; temperature and length limit
    come from persona and task.
    """

    timeout_s: float = Field(default=30.0, gt=0, le=120, title=_("Seconds for one call"))
    thinking_tokens: int = Field(
        default=0,
        ge=0,
        le=64_000,
        title=_("Extra tokens for thinking"),
        description=_("Added to every length limit: most vendors count a model's thinking into it."),
    )
    allow_private: bool = Field(
        default=False,
        title=_("Private addresses allowed"),
        description=_("Only for a model of your own on this machine or network; refused otherwise."),
    )


class RemoteProvider(Provider):
    """Asks once: no retries of its own, the request's ``timeout`` as the one bound, errors in our words only."""

    offers = TEXT_AND_IMAGES
    #: What the vendor writes into the code or type of an error, whatever the status; of ``a.b`` also ``a`` alone.
    error_kinds: ClassVar[Mapping[str, ErrorKind]] = {}

    def chat(self, request: ChatRequest) -> Answer:
        self._check_key()
        try:
            return self._ask(request)
        except ProviderError as error:
            raise ProviderError(error.kind, redact(error.message, self.api_key), error.retry_after) from None
        except Refused as error:
            raise ProviderError("bad_request", str(error)) from None
        except Exception as error:
            # The traceback is written with the key hidden, and the error is not chained: whoever logs it later would
            # write the SDK's own words.
            logger.error("ai_provider_failed", provider=self.key, trace=redact(traceback.format_exc(), self.api_key))
            problem = redact(str(error), self.api_key)[:MESSAGE_CHARS]
            raise ProviderError("bad_answer", f"{type(error).__name__}: {problem}") from None

    @abstractmethod
    def _ask(self, request: ChatRequest) -> Answer:
        """Ask the vendor; raises :class:`ProviderError`."""

    def _check_key(self) -> None:
        if self.needs_key and not self.api_key:
            raise ProviderError("auth", "the model has no API key")
        # Such a key cannot stand in a header, and the HTTP libraries say so by quoting it.
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ProviderError("auth", "the API key holds characters that a key cannot have")

    def _timeout(self, request: ChatRequest) -> float:
        return float(min(request.timeout, self.config.timeout_s))

    def _length_limit(self, request: ChatRequest) -> int:
        return int(request.max_tokens + self.config.thinking_tokens)


def error_of_sdk(sdk: Any, error: Exception, kinds: Mapping[str, ErrorKind]) -> ProviderError:
    """Translate an error of the ``openai`` or ``anthropic`` package; both name their classes alike."""
    if isinstance(error, sdk.APIStatusError):
        return error_of_status(error.status_code, error.body, error.response.headers, kinds)
    if isinstance(error, sdk.APITimeoutError):
        return ProviderError("timeout", "the model did not answer in time")
    if refused := _cause(error, Refused):
        return ProviderError("bad_request", str(refused))
    if isinstance(error, sdk.APIConnectionError):
        return ProviderError("unreachable", f"no whole answer from the endpoint: {error.__cause__ or error}")
    return ProviderError("bad_answer", f"the answer is not usable: {error}"[:MESSAGE_CHARS])


def error_of_transport(error: Exception) -> ProviderError:
    """Translate an error of our own transport."""
    if isinstance(error, Refused):
        return ProviderError("bad_request", str(error))
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", "the model did not answer in time")
    where = str(error) if isinstance(error, NotSent) else type(error).__name__
    return ProviderError("unreachable", f"no whole answer from the endpoint: {where}")


def error_of_status(
    status: int, body: object, headers: Mapping[str, str], kinds: Mapping[str, ErrorKind]
) -> ProviderError:
    """Translate an answer with an error status. ``body`` is the parsed JSON, or whatever came in its place."""
    said = _error_object(body)
    default: ErrorKind = "overloaded" if status >= 500 else "bad_request"
    kind = _named_kind(said, kinds) or _KINDS_BY_STATUS.get(status, default)
    message = str(said.get("message") or "")[:MESSAGE_CHARS]
    return ProviderError(kind, f"HTTP {status}: {message}" if message else f"HTTP {status}", _retry_after(headers))


def _error_object(body: object) -> Mapping[str, Any]:
    """Find the object with code, type and message: most vendors wrap it into ``error``, some do not."""
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _named_kind(said: Mapping[str, Any], kinds: Mapping[str, ErrorKind]) -> ErrorKind | None:
    details = said.get("details")
    code = details.get("error_code") if isinstance(details, Mapping) else None
    for name in (code, said.get("code"), said.get("type")):
        kind = kinds.get(str(name)) or kinds.get(str(name).partition(".")[0])
        if kind:
            return kind
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date instead of a number is ignored: our own back-off is shorter than its grain."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name) or "") * unit)
        except ValueError:
            continue
    return None


def member(parsed: object, name: str) -> Any:
    """Return a member of what a vendor sent as an object; None where it is missing, or no object at all."""
    return parsed.get(name) if isinstance(parsed, dict) else None


def _cause(error: BaseException | None, kind: type[Exception]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error
