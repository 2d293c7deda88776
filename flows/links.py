"""What lower apps' admin pages lead to here (see ``worktool_ai.lib.links``)."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from flows.models import Run

__all__ = ["run_page"]


def run_page(row: Any) -> str | None:
    """Return the page of the run that a row names by ``run_id``; None once retention has removed it."""
    if row.run_id is None or not Run.objects.filter(pk=row.run_id).exists():
        return None
    return reverse("admin:flows_run_change", args=[row.run_id])
