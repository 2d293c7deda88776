"""Pages for people. They are shells: what they show comes from the API and the live socket."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from worktool_ai.accounts.access import ability_required
from worktool_ai.accounts.permissions import Ability

__all__ = ["business_panel"]


@ability_required(Ability.READ_LINES)
def business_panel(request: HttpRequest) -> HttpResponse:
    """The business panel: every line and what became of it, live."""
    return render(request, "monitoring/business.html")
