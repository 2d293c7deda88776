"""Start-up check: every address states who may call it. An address that forgot is refused and named here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

__all__ = ["addresses", "every_address_states_its_permission"]

#: Whose views guard themselves: Django's admin (every page asks the admin site), the language switch, and files, whose
#: signed address is the permission.
_GUARDED = ("admin:", "set_language", "signed_file")


def addresses(resolver: URLResolver | None = None, prefix: str = "", space: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield ``(address, name, view)`` of every route, namespaces included in the name."""
    for pattern in (resolver or get_resolver()).url_patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from addresses(pattern, address, inner)
        elif isinstance(pattern, URLPattern):
            yield address, f"{space}{pattern.name or ''}", pattern.callback


@register()
def every_address_states_its_permission(**_options: Any) -> list[CheckMessage]:
    """accounts.E001: ``requires`` on the view class, or ``@ability_required`` on the page."""
    return [
        Error(
            f"/{address} does not state who may call it",
            hint="set `requires` to an Ability (or one per action) on the view class, or use @ability_required",
            id="accounts.E001",
        )
        for address, name, view in addresses()
        if not name.startswith(_GUARDED) and not _states(view)
    ]


def _states(view: Any) -> bool:
    stated = getattr(getattr(view, "cls", None) or view, "requires", None)
    actions = getattr(view, "actions", None)
    if isinstance(stated, dict) and actions:
        return all(action in stated for action in actions.values())
    return stated is not None
