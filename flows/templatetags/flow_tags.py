"""What the flow pages' templates need beyond Django's own filters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def entry(mapping: Mapping[str, Any], key: str) -> Any:
    """Return a mapping's value; empty where there is none."""
    return mapping.get(key, "")


@register.filter
def plus(value: float, number: int) -> str:
    """Move a coordinate by whole pixels."""
    return f"{value + number:.0f}"


@register.filter
def as_json(value: Any) -> str:
    """Return a document as people read it: indented, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


@register.filter
def as_value(value: Any) -> str:
    """Return a value on one line: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
