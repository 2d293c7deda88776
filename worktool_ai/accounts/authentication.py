"""API keys in requests: ``Authorization: Bearer wta_…``."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from worktool_ai.accounts import api_keys
from worktool_ai.accounts.models import ApiKey

__all__ = ["ApiKeyAuthentication"]


class ApiKeyAuthentication(BaseAuthentication):
    """``request.user`` and ``request.auth`` become the :class:`ApiKey`: it has its own role and scope."""

    def authenticate(self, request: Request) -> tuple[ApiKey, ApiKey] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        key = api_keys.find(words[1].decode("latin-1")) if len(words) == 2 else None
        if key is None:
            raise AuthenticationFailed(_("This API key is unknown, expired or revoked."))
        return key, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
