"""Signing in."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm

from worktool_ai.accounts import throttle

__all__ = ["LoginForm"]


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    """The admin's login, which pauses after too many failures of one name from one address."""

    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username") or ""
        address = self.request.META.get("REMOTE_ADDR") or ""
        if wait := throttle.seconds_left(username, address):
            raise ValidationError(_wait_text(wait), code="throttled")
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            throttle.failed(username, address)
            raise
        throttle.forget(username, address)
        return cleaned


def _wait_text(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return ngettext(
        "Too many failed attempts. Try again in %(count)d minute.",
        "Too many failed attempts. Try again in %(count)d minutes.",
        minutes,
    ) % {"count": minutes}
