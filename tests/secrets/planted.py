"""One recognisable secret of each kind, and everything that would give it away."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from worktool_ai.lib.config import secret_fields
from worktool_ai.lib.crypto import EncryptedTextField
from worktool_ai.lib.registry import Registry
from worktool_ai.lib.sealed_rows import columns

#: Kinds that are stored as a digest only, so that no registry knows them.
DIGESTS = ("accounts.ApiKey", "accounts.User.password", "robots.Robot.callback_key before the last")


def kinds() -> set[str]:
    """Every kind of secret that the product stores, as its registries have it."""
    encrypted = {column.name for column in columns() if isinstance(column.field, EncryptedTextField)}
    configured = {
        f"{registry.kind} {plugin.key}.{path}"
        for registry in Registry.all()
        for plugin in registry
        for path in secret_fields(plugin.Config)
    }
    return encrypted | configured | set(DIGESTS)


def plant(kind: str) -> str:
    """A secret whose first 12 characters are its own, with characters that an address must escape."""
    return f"Pl{hashlib.sha256(kind.encode()).hexdigest()[:14]}/+={kind.replace(' ', '&')}"


@dataclass(frozen=True)
class Needle:
    kind: str
    form: str
    text: str


def needles(kind: str, secret: str) -> Iterator[Needle]:
    """Everything that must be found nowhere, for a secret that its surroundings may hold at any offset."""
    yield Needle(kind, "itself", secret)
    yield Needle(kind, "first 12", secret[:12])
    yield Needle(kind, "percent-encoded", quote(secret, safe="")[:24])
    raw = secret.encode()
    yield Needle(kind, "hex", raw[:12].hex())
    for shift in range(
        3
    ):  # base64 of a text that the secret is a part of; its first characters depend on what precedes
        coded = base64.b64encode(b"x" * shift + raw[:15]).decode()
        yield Needle(kind, f"base64 at {shift}", coded[4 if shift else 0 : 16])


def quoted(*secrets: str) -> str:
    """What a vendor says that quotes what it was called with, in every way."""
    coded = [base64.b64encode(secret.encode()).decode() for secret in secrets]
    return " ".join([*secrets, *(secret[:12] + "***" for secret in secrets), *map(quote, secrets), *coded])
