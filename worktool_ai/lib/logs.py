"""Structured logs: one JSON object a line on stderr, whoever logs (structlog or the standard library).

Every line carries ``time``, ``level``, ``logger``, ``event`` and what was bound for the work at hand
(``requestId``, ``messageId``, ``runId``, ``robot``). Values under secret-looking names are masked.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

__all__ = ["bound", "configure", "get_logger", "mask_secrets", "masked", "request_id"]

#: Names whose values are credentials; robotId is one too (who knows it can command the robot).
_SECRET_NAME = re.compile(
    r"(?:^|_|-|(?<=[a-z])(?-i:(?=[A-Z])))(?:key|token|secret|password|passwd|authorization|cookie)s?$|robot_?id$",
    re.IGNORECASE,
)
#: The same inside a text, where URLs and headers end up in messages of libraries; a callback's path holds its key.
_SECRET_IN_TEXT = re.compile(
    r"\b(robot_?id|[a-z_]*key|[a-z_]*token|secret|password)=[^&\s\"'<>)]+|\b(bearer) [\w.~+/=-]+"
    r"|(/worktool/callback/)[^/\s\"'<>]+(?=/)",
    re.IGNORECASE,
)
#: Without one of these there is none.
_MARKS = ("=", " ", "/")
_MASKED = "•••"

#: Libraries that bring handlers of their own, and libraries whose every request is a line at INFO.
_OWN_HANDLERS = ("django", "django.server", "celery", "uvicorn", "uvicorn.error")
_CHATTY = (
    "uvicorn.access",
    "urllib3",
    "openai",
    "httpx2",
    "kombu",
    "celery.beat",
    "celery.worker.strategy",
    "celery.app.trace",
)

Logger = structlog.stdlib.BoundLogger


def get_logger(name: str) -> Logger:
    """Return the structured logger of a module: ``logger = get_logger(__name__)``."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def bound(**values: str | None) -> Iterator[None]:
    """Put ``requestId``, ``messageId``, ``runId`` or ``robot`` on every line of this block.

    Other threads, tasks and greenlets are not touched.
    ``None`` values are left out, so that callers need not branch.
    """
    with structlog.contextvars.bound_contextvars(**{k: v for k, v in values.items() if v is not None}):
        yield


def request_id() -> str:
    """Return the id of the request (or message) at hand, empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("requestId", ""))


def configure(log_format: str = "json", level: str = "INFO") -> dict[str, Any]:
    """Set up structlog and the standard library, and return the ``LOGGING`` dict in force.

    ``log_format`` is ``json`` or ``console`` (coloured, for people). Safe to call again.
    """
    if log_format not in _RENDERERS:
        raise ValueError(f"LOG_FORMAT must be one of {', '.join(_RENDERERS)}, not {log_format!r}")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # no line shows them, and each is looked up for each line; in a greenlet that makes a thread object every time
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    config = _logging_dict(log_format, level)
    logging.config.dictConfig(config)
    return config


def mask_secrets(logger: Any, method: str, event: EventDict) -> EventDict:
    """structlog processor: replace the values of secret-looking names, at any depth."""
    return {name: masked(name, value) for name, value in event.items()}


def masked(name: str, value: Any) -> Any:
    """Return a value without credentials: nothing of it where its name says it is one, else all but what is inside.

    Inside means: under such names in maps and lists, and as ``name=value`` in texts.
    """
    if value and _is_secret(name):
        return _MASKED
    if isinstance(value, str):
        return _SECRET_IN_TEXT.sub(_without_value, value) if any(mark in value for mark in _MARKS) else value
    if isinstance(value, Mapping):
        return {inner: masked(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked("", item) for item in value]
    return value


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _without_value(found: re.Match[str]) -> str:
    name, bearer, path = found.groups()
    return f"{name}={_MASKED}" if name else f"{bearer} {_MASKED}" if bearer else f"{path}{_MASKED}"


def _shared() -> list[Processor]:
    """What our own lines and those of libraries go through alike."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]


def _json_renderer() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        mask_secrets,
        structlog.processors.JSONRenderer(_json),
    ]


def _json(event: EventDict, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # a key that is no text, half a character, a number of more than 64 bits
        return json.dumps(event, ensure_ascii=False, default=str)


def _console_renderer() -> list[Processor]:
    return [mask_secrets, structlog.dev.ConsoleRenderer(timestamp_key="time")]


_RENDERERS = {"json": _json_renderer, "console": _console_renderer}


def _logging_dict(log_format: str, level: str) -> dict[str, Any]:
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared(),
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_RENDERERS[log_format]()],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        # stderr: commands print their results on stdout
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # replace the handlers that these bring along, so that every line has one shape
            **{name: {"handlers": [], "propagate": True} for name in _OWN_HANDLERS},
            **{name: {"handlers": [], "propagate": True, "level": "WARNING"} for name in _CHATTY},
        },
    }
