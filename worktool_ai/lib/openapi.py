"""The API document tells the truth about the envelope.

``SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"] = ["worktool_ai.lib.openapi.wrap_in_envelope"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["wrap_in_envelope"]

_DETAIL = {
    "type": "object",
    "required": ["field", "problem", "way_out"],
    "properties": {name: {"type": "string"} for name in ("field", "problem", "way_out")},
}
_ERROR = {
    "type": "object",
    "required": ["code", "message", "data", "requestId", "details"],
    "properties": {
        "code": {"type": "integer", "description": "the HTTP status"},
        "message": {"type": "string"},
        "data": {"type": "object", "nullable": True},
        "requestId": {"type": "string"},
        "details": {"type": "array", "items": _DETAIL},
    },
}


def _success(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["code", "message", "data", "requestId"],
        "properties": {
            "code": {"type": "integer", "enum": [0]},
            "message": {"type": "string"},
            "data": schema,
            "requestId": {"type": "string"},
        },
    }


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation


def wrap_in_envelope(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:
    """drf-spectacular hook: wrap every JSON success and describe the error that any operation may answer."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = _ERROR
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operation in _operations(result):
        for status, response in operation["responses"].items():
            body = response.get("content", {}).get("application/json")
            if str(status).startswith("2") and body is not None:
                body["schema"] = _success(body.get("schema", {}))
        operation["responses"].setdefault("default", {"description": "Refused", "content": error})
    return result
