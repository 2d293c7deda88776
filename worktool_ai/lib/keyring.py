"""The keys of ``settings.ENCRYPTION_KEYS`` by their ids; the first encrypts, all of them decrypt.

Apart from :mod:`worktool_ai.lib.crypto`, whose fields and forms a process without Django's apps must not load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

__all__ = ["Keyring", "current_key_id", "id_of", "keyring", "known_key_ids"]


class Keyring:
    """The keys of one setting value, by their ids."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ImproperlyConfigured("ENCRYPTION_KEYS is empty: set at least one Fernet key")
        try:
            self.keys = {id_of(key): Fernet(key) for key in keys}
        except ValueError as error:
            raise ImproperlyConfigured(f"ENCRYPTION_KEYS holds something that is no Fernet key: {error}") from None
        self.current = id_of(keys[0])


def id_of(key: str) -> str:
    """Return the id under which a key is named in tokens."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


@lru_cache(maxsize=8)
def _keyring_of(keys: tuple[str, ...]) -> Keyring:
    return Keyring(keys)


def keyring() -> Keyring:
    """Return the keys as they are set now; raises ``ImproperlyConfigured`` when none is usable."""
    return _keyring_of(tuple(settings.ENCRYPTION_KEYS))


def current_key_id() -> str:
    """Return the id of the key that encrypts now; ``ImproperlyConfigured`` when no usable key is set."""
    return keyring().current


def known_key_ids() -> list[str]:
    """Return the ids of all keys that can decrypt, the encrypting one first."""
    return list(keyring().keys)
