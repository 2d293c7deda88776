"""One keyring for every kind of secret: AI keys, robot ids, callback keys, channel secrets.

Tokens are Fernet (AES-128-CBC with HMAC-SHA256) and start with the id of their key, so that rows whose key is
gone can be counted and named without trying to decrypt them. ``settings.ENCRYPTION_KEYS`` holds the keys: the
first encrypts, all of them decrypt; a key is retired by putting a new one in front, ``manage.py rotate_keys``, and
then dropping it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from django import forms
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact, IsNull
from django.db.models.query_utils import DeferredAttribute
from django.utils.crypto import salted_hmac
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel

from worktool_ai.lib.config import PluginConfig, is_secret, models_in
from worktool_ai.lib.keyring import keyring

__all__ = [
    "CLEAR",
    "EncryptedTextField",
    "Secret",
    "SecretFormField",
    "UndecryptableError",
    "decrypt",
    "encrypt",
    "fingerprint",
    "is_sealed",
    "key_id_of",
    "load_config",
    "map_sealed",
    "mask",
    "masked_config",
    "open_config",
    "seal_config",
]

#: A sealed value inside a JSON document: ``{"sealed": "<token>"}``. Texts of users are never dicts, so no
#: confusion.
SEALED = "sealed"
#: What is typed into a secret's input to remove the stored value (an empty input keeps it).
CLEAR = "-"

_KEY_ID = re.compile(r"[0-9a-f]{8}")

C = TypeVar("C", bound=PluginConfig)


class UndecryptableError(Exception):
    """A token cannot be opened: its key is not in ENCRYPTION_KEYS any more, or it was damaged."""

    def __init__(self, key_id: str, reason: str) -> None:
        super().__init__(f"secret under key {key_id}: {reason}")
        self.key_id = key_id


def key_id_of(token: str) -> str:
    """Return the id of the key that a token was made with, without opening it; ``?`` for what is no token at all,
    which may be a secret that somebody wrote there by hand: it is never quoted.
    """
    key_id = token.partition(":")[0]
    return key_id if _KEY_ID.fullmatch(key_id) else "?"


def encrypt(text: str) -> str:
    """Return ``<key id>:<Fernet token>``; the empty text stays empty."""
    if not text:
        return ""
    keys = keyring()
    return f"{keys.current}:{keys.keys[keys.current].encrypt(text.encode()).decode()}"


def decrypt(token: str) -> str:
    """Open a token of :func:`encrypt`; raises :class:`UndecryptableError`."""
    if not token:
        return ""
    key_id = key_id_of(token)
    body = token.partition(":")[2]
    fernet = keyring().keys.get(key_id)
    if key_id == "?":
        raise UndecryptableError(key_id, "the stored value is no encrypted one")
    if fernet is None:
        raise UndecryptableError(key_id, "that key is not in ENCRYPTION_KEYS")
    try:
        return fernet.decrypt(body.encode()).decode()
    except InvalidToken:
        raise UndecryptableError(key_id, "the stored value is damaged") from None


class Secret:
    """A text that shows itself only on :meth:`reveal`; ``repr``, ``str``, formatting and pickling never do.

    Opened lazily, so that a row whose key is gone can still be listed, and saved without touching the secret.
    """

    __slots__ = ("_text", "_token")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str = "") -> None:
        self._text: str | None = text
        self._token: str | None = None if text else ""

    @classmethod
    def sealed(cls, token: str) -> Secret:
        """Wrap a stored token without opening it."""
        secret = cls()
        if token:
            secret._text, secret._token = None, token
        return secret

    def reveal(self) -> str:
        """Return the text; raises :class:`UndecryptableError`."""
        if self._text is None:
            self._text = decrypt(self._token or "")
        return self._text

    @property
    def token(self) -> str:
        """The encrypted form to store; a secret that came from the database keeps its token."""
        if self._token is None:
            self._token = encrypt(self._text or "")
        return self._token

    def __bool__(self) -> bool:
        return bool(self._text or self._token)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if self._token is not None and self._token == other._token:
            return True
        try:
            return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())
        except UndecryptableError:
            return False

    def __str__(self) -> str:
        return "••••••" if self else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __reduce__(self) -> tuple[Callable[[str], Secret], tuple[str]]:
        return Secret.sealed, (self.token,)


def mask(value: str | Secret, keep: int = 4) -> str:
    """Return ``…`` and the last ``keep`` characters; a value too short to be told apart safely becomes ``…``
    alone. Of a web address only scheme and host are shown: tokens stand at the end of such addresses.
    """
    if not value:
        return ""
    try:
        text = value.reveal() if isinstance(value, Secret) else value
    except UndecryptableError:
        return "…"
    if text.startswith(("http://", "https://")):
        return _masked_address(text)
    return f"…{text[-keep:]}" if keep > 0 and len(text) >= 3 * keep else "…"


def _masked_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname or ''}/…"
    except ValueError:  # brackets that hold no IPv6 address
        return "…"


def fingerprint(secret: str) -> str:
    """Return 64 hex digits by which a secret is looked up; keyed by SECRET_KEY, so a stolen table cannot be
    guessed.
    """
    return salted_hmac("worktool_ai.lib.crypto.fingerprint", secret, algorithm="sha256").hexdigest()


# --- model field ----------------------------------------------------------------------------------


class SecretFormField(forms.CharField):
    """Write-only input: never shows the stored value; an empty submission keeps it, ``-`` removes it."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


class _SecretAttribute(DeferredAttribute):
    """Turns an assigned text into a :class:`Secret` at once, so no later ``repr`` of the row shows it."""

    def __set__(self, instance: models.Model, value: str | Secret | None) -> None:
        instance.__dict__[self.field.attname] = value if isinstance(value, Secret) else Secret(value or "")


class _OnlyEmpty(Exact):
    """``field=""`` finds rows without a secret; anything else could never match a fresh encryption."""

    def get_prep_lookup(self) -> Any:
        if self.rhs != "":
            raise FieldError("an encrypted field cannot be searched; look it up by crypto.fingerprint()")
        return ""


if TYPE_CHECKING:
    _TextField = models.TextField[str | Secret, Secret]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text column that holds a token. Its Python value is a :class:`Secret`; assigning ``str`` encrypts on
    save.
    """

    description = "Encrypted text"
    descriptor_class = _SecretAttribute
    # Read by django-stubs only: what may be assigned, and what is read.
    _pyi_private_set_type: str | Secret  # type: ignore[assignment]
    _pyi_private_get_type: Secret  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A form never resends a stored secret, so "required" can only be judged by the model's own clean().
        super().__init__(*args, **{"default": "", "blank": True, **kwargs})

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret:
        return Secret.sealed(value or "")

    def to_python(self, value: Any) -> Secret:
        return value if isinstance(value, Secret) else Secret(value or "")

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(value).token

    def value_to_string(self, obj: models.Model) -> str:
        return self.to_python(self.value_from_object(obj)).token

    def get_lookup(self, lookup_name: str) -> Any:
        allowed = {"exact": _OnlyEmpty, "isnull": IsNull}
        if lookup_name not in allowed:
            raise FieldError(f"an encrypted field has no lookup {lookup_name!r}")
        return allowed[lookup_name]

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        from unfold.widgets import UnfoldAdminPasswordWidget  # models are loaded before the admin can be

        hint = _("Never shown. Leave empty to keep what is stored; «-» removes it.")
        kwargs.update(
            form_class=SecretFormField,
            required=False,
            widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
            help_text=format_lazy("{} {}", self.help_text, hint) if self.help_text else hint,
        )
        return models.Field.formfield(self, **kwargs)

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        if data:
            super().save_form_data(instance, "" if data == CLEAR else data)


# --- plugin configurations ------------------------------------------------------------------------


def seal_config(config: type[BaseModel], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with every secret field of the Config (nested ones too) encrypted; idempotent."""
    return {name: _seal_field(name, value, [config]) for name, value in document.items()}


def open_config(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with every sealed value in the clear: for ``Config.load`` only, never to be stored
    or shown.

    Needs no Config class, so that documents of an older shape open too. Raises :class:`UndecryptableError`.
    """
    return {name: map_sealed(value, decrypt) for name, value in document.items()}


def masked_config(config: type[BaseModel], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as people and logs may see it: secrets end in their last characters."""
    sealed = seal_config(config, document)
    return {name: map_sealed(value, _mask_token) for name, value in sealed.items()}


def load_config(config: type[C], document: Mapping[str, Any]) -> C:
    """Open and validate a stored document; raises :class:`UndecryptableError` or
    ``pydantic.ValidationError``.
    """
    return config.load(open_config(document))


def is_sealed(value: Any) -> bool:
    """Tell whether a value inside a JSON document is an encrypted one."""
    return isinstance(value, Mapping) and set(value) == {SEALED}


def _mask_token(token: str) -> str:
    return mask(Secret.sealed(token))


def map_sealed(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a JSON value with ``change(token)`` in place of every sealed value."""
    if is_sealed(value):
        return change(value[SEALED])
    if isinstance(value, Mapping):
        return {name: map_sealed(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [map_sealed(item, change) for item in value]
    return value


def _seal(value: Any, configs: Sequence[type[BaseModel]]) -> Any:
    if isinstance(value, list):
        return [_seal(item, configs) for item in value]
    if not isinstance(value, Mapping) or is_sealed(value):
        return value
    return {name: _seal_field(name, item, configs) for name, item in value.items()}


def _seal_field(name: str, value: Any, configs: Sequence[type[BaseModel]]) -> Any:
    owners = [config for config in configs if name in config.model_fields]
    if any(is_secret(owner, name) for owner in owners):
        return _seal_texts(value)
    if not owners:  # a key of a dict[str, Model]: the models are those of the dict itself
        return _seal(value, configs)
    return _seal(value, [model for owner in owners for model in models_in(owner.model_fields[name].annotation)])


def _seal_texts(value: Any) -> Any:
    """Seal the text, or each text of the list or map, of a field that is marked as secret."""
    if isinstance(value, str):
        return {SEALED: encrypt(value)} if value else ""
    if isinstance(value, list):
        return [_seal_texts(item) for item in value]
    if isinstance(value, Mapping) and not is_sealed(value):
        return {name: _seal_texts(item) for name, item in value.items()}
    return value
