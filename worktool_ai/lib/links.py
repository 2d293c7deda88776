"""Links from a lower app's admin pages up to an upper app's, without an import.

The upper app registers in ``AppConfig.ready()``; the lower app's page shows whatever was registered for it::

    links.register("robots.message", _("Run"), run_link)  # in flows: (row) -> URL, or None when there is none
    links.for_row(message)  # in robots: [("Run", "/admin/flows/run/…/change/")]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.functional import Promise

__all__ = ["for_row", "register"]

Target = Callable[[Any], str | None]

_registered: dict[str, list[tuple[str | Promise, Target]]] = {}


def register(label: str, title: str | Promise, target: Target) -> None:
    """Offer a link on the pages of a model (``app.model``, lower case)."""
    _registered.setdefault(label, []).append((title, target))


def for_row(row: Any) -> list[tuple[str, str]]:
    """Return ``(title, address)`` of every link that leads somewhere from this row."""
    offered = _registered.get(row._meta.label_lower, [])
    return [(str(title), address) for title, target in offered if (address := target(row))]
