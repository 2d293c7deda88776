"""One recognisable secret of each kind, and everything that would give it away."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

from worktool_ai.lib.config import secret_fields
from worktool_ai.lib.crypto import EncryptedTextField
from worktool_ai.lib.registry import Registry
from worktool_ai.lib.sealed_rows import columns

#: Minted by the product, so that its text is known only then.
API_KEY = "accounts.ApiKey"
#: Kinds that are stored as a digest only, so that no registry knows them.
DIGESTS = (API_KEY, "accounts.User.password", "robots.Robot.callback_key before the last")


def kinds() -> set[str]:
    """Every kind of secret that the product stores, as its registries have it."""
    encrypted = {column.name for column in columns() if isinstance(column.field, EncryptedTextField)}
    configured = {
        f"{registry.kind} {plugin.key}.{path}"
        for registry in Registry.all()
        if not registry.package.startswith("tests.")
        for plugin in registry
        for path in secret_fields(plugin.Config)
    }
    return encrypted | configured | set(DIGESTS)


def plant(kind: str) -> str:
    """A secret whose first 12 characters are its own, with characters that an address must escape."""
    return f"Pl{hashlib.sha256(kind.encode()).hexdigest()[:14]}/+={kind.replace(' ', '&')}"


SECRETS = {
    kind: plant(kind)
    for kind in (
        "accounts.User.password",
        "notification channel webhook.secret",
        "notification channel webhook.url",
        "personas.AIModel.api_key",
        "robots.Robot.callback_key",
        "robots.Robot.callback_key before the last",
        "robots.Robot.robot_id",
        "robots.Robot.robot_key",
    )
}


def of_the_settings() -> dict[str, str]:
    """What the product itself runs with."""
    addresses = {name: getattr(settings, name) for name in ("DATABASE_URL", "REDIS_URL", "REDIS_BROKER_URL")}
    passwords = {f"password of {name}": unquote(urlsplit(url).password or "") for name, url in addresses.items()}
    keys = {f"ENCRYPTION_KEYS {number}": key for number, key in enumerate(settings.ENCRYPTION_KEYS)}
    return {"SECRET_KEY": settings.SECRET_KEY, **passwords, **keys}


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
    for shift in range(3):  # base64 of a text that holds the secret: its first characters depend on what precedes
        coded = base64.b64encode(b"x" * shift + raw[:15]).decode()
        yield Needle(kind, f"base64 at {shift}", coded[4 if shift else 0 : 16])


def quoted(*secrets: str) -> str:
    """What a vendor says that quotes what it was called with, in every way."""
    coded = [base64.b64encode(secret.encode()).decode() for secret in secrets]
    return " ".join([*secrets, *(secret[:12] + "***" for secret in secrets), *map(quote, secrets), *coded])
