"""Stating the permission of a plain page, as ``requires`` does for API views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from worktool_ai.accounts.permissions import Ability, may

__all__ = ["ability_required"]

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]


def ability_required(ability: Ability) -> Callable[[Page[P]], Page[P]]:
    """Let only people with this ability see a page; strangers are sent to sign in."""

    def decorate(page: Page[P]) -> Page[P]:
        @wraps(page)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.user, ability):
                raise PermissionDenied
            return page(request, *args, **kwargs)

        marked: Any = guarded
        marked.requires = ability  # what the check of all addresses looks for
        return cast(Page[P], guarded)

    return decorate
