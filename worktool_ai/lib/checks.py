"""Start-up checks of the kernel: what would otherwise fail silently, or at the first customer line."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from worktool_ai.lib import hooks, keyring

__all__ = ["encryption_keys_are_usable", "every_hook_is_bound"]


@register()
def every_hook_is_bound(**_options: Any) -> list[CheckMessage]:
    """lib.E001: an unbound hook would drop what it should pass on."""
    hint = "bind it in the AppConfig.ready() of the app that should hear of it"
    return [Error(f"hook {name} is not bound", hint=hint, id="lib.E001") for name in hooks.unbound()]


@register()
def encryption_keys_are_usable(**_options: Any) -> list[CheckMessage]:
    """lib.E002: without a key no secret can be stored or read."""
    try:
        keyring.current_key_id()
    except ImproperlyConfigured as error:
        hint = "a key is 32 random bytes in URL-safe base64 (cryptography.fernet.Fernet.generate_key())"
        return [Error(str(error), hint=hint, id="lib.E002")]
    return []
