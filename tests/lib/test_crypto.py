"""Secrets are encrypted at rest, rotated without pain, and never shown by accident."""

from __future__ import annotations

import pickle

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.forms import modelform_factory
from pydantic import BaseModel, Field

from worktool_ai.lib import crypto, keyring
from worktool_ai.lib.config import SECRET, PluginConfig
from worktool_ai.lib.crypto import Secret

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def _old_key(settings):
    settings.ENCRYPTION_KEYS = [OLD]


class Vault(models.Model):
    """A table with one secret; never created in a database."""

    secret = crypto.EncryptedTextField()
    objects: models.Manager[Vault] = models.Manager()

    class Meta:
        app_label = "lib_tests"
        managed = False

    def __str__(self) -> str:
        return "vault"


class Header(BaseModel):
    name: str = ""
    value: str = Field(default="", json_schema_extra=SECRET)


class Config(PluginConfig):
    url: str = "https://example.com"
    api_key: str = Field(default="", json_schema_extra=SECRET)
    headers: list[Header] = []
    named: dict[str, Header] = {}
    tokens: dict[str, str] = Field(default={}, json_schema_extra=SECRET)


def test_tokens_open_again_and_differ_each_time():
    first, second = crypto.encrypt("秘密"), crypto.encrypt("秘密")
    assert first != second
    assert "秘密" not in first
    assert crypto.decrypt(first) == crypto.decrypt(second) == "秘密"


def test_empty_stays_empty():
    assert crypto.encrypt("") == ""
    assert crypto.decrypt("") == ""


def test_a_new_key_in_front_encrypts_while_the_old_one_still_opens(settings):
    token = crypto.encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert crypto.decrypt(token) == "secret"
    assert crypto.key_id_of(crypto.encrypt("secret")) == keyring.current_key_id() != crypto.key_id_of(token)


def test_a_token_of_a_lost_key_names_that_key(settings):
    token = crypto.encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(crypto.UndecryptableError, match=crypto.key_id_of(token)) as caught:
        crypto.decrypt(token)
    assert caught.value.key_id not in keyring.known_key_ids()


@pytest.mark.parametrize("damage", [lambda t: t[:-4] + "AAAA", lambda t: t[:20]])
def test_a_damaged_token_is_refused(damage):
    with pytest.raises(crypto.UndecryptableError, match="damaged"):
        crypto.decrypt(damage(crypto.encrypt("secret")))


@pytest.mark.parametrize("keys", [[], ["not-a-key"]])
def test_a_bad_setting_is_named(settings, keys):
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        crypto.encrypt("x")


def test_a_secret_never_shows_itself():
    secret = Secret("sk-very-secret")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        format(secret, ""),
        repr([secret]),
        repr(pickle.dumps(secret)),
    ]
    assert not any("very" in text for text in shown)
    assert secret.reveal() == "sk-very-secret"
    assert pickle.loads(pickle.dumps(secret)) == secret
    assert secret != "sk-very-secret"
    assert not Secret("")


def test_the_model_field_wraps_at_once_and_encrypts_on_save():
    row = Vault(secret="plain")
    assert "plain" not in repr(row.__dict__)
    stored = Vault._meta.get_field("secret").get_prep_value(row.secret)
    assert crypto.decrypt(stored) == "plain"
    loaded = Vault._meta.get_field("secret").from_db_value(stored, None, None)
    assert loaded.reveal() == "plain"
    assert loaded.token == stored, "an untouched secret is written back as it was"


def test_a_row_whose_key_is_lost_can_still_be_listed_and_saved(settings):
    token = crypto.encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW]
    row = Vault(secret=Secret.sealed(token))
    assert str(row.secret) == "••••••"
    assert Vault._meta.get_field("secret").get_prep_value(row.secret) == token
    assert row.secret != Secret("secret")
    assert crypto.mask(row.secret) == "…"


def test_an_encrypted_field_is_never_searchable():
    for lookup in ({"secret": "plain"}, {"secret__icontains": "pl"}, {"secret__in": ["plain"]}):
        with pytest.raises(FieldError):
            str(Vault.objects.filter(**lookup).query)
    assert '"secret" = ' in str(Vault.objects.filter(secret="").query)


def test_the_form_never_shows_the_value_and_empty_keeps_it():
    form_class = modelform_factory(Vault, fields=["secret"])
    row = Vault(secret="sk-very-secret")
    assert "very" not in form_class(instance=row).as_p()
    kept = form_class({"secret": ""}, instance=row)
    assert kept.is_valid()
    assert not kept.has_changed()
    assert kept.instance.secret.reveal() == "sk-very-secret"
    changed = form_class({"secret": "sk-new"}, instance=row)
    assert changed.is_valid()
    assert changed.instance.secret.reveal() == "sk-new"
    cleared = form_class({"secret": "-"}, instance=row)
    assert cleared.is_valid()
    assert not cleared.instance.secret


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", ""),
        ("short", "…"),
        ("abcdefghijkl", "…ijkl"),
        (Secret("abcdefghijkl"), "…ijkl"),
        ("https://me:pw@hooks.example.com:8443/send?key=abcdefgh", "https://hooks.example.com/…"),
        ("https://[hooks/abcdefgh", "…"),
    ],
)
def test_mask(value, shown):
    assert crypto.mask(value) == shown


def test_fingerprints_are_stable_and_keyed(settings):
    before = crypto.fingerprint("robot-1")
    assert before == crypto.fingerprint("robot-1") != crypto.fingerprint("robot-2")
    assert len(before) == 64
    settings.SECRET_KEY = "another"
    assert crypto.fingerprint("robot-1") != before


DOCUMENT = {
    "url": "https://example.com",
    "api_key": "sk-abcdefghijkl",
    "headers": [{"name": "X", "value": "header-secret-1"}],
    "named": {"a": {"name": "Y", "value": "header-secret-2"}},
    "tokens": {"a": "map-secret-1"},
}


def test_secret_fields_of_a_config_are_sealed_at_every_depth():
    sealed = crypto.seal_config(Config, DOCUMENT)
    assert "secret-" not in str(sealed)
    assert "sk-" not in str(sealed)
    assert sealed["url"] == DOCUMENT["url"]
    assert crypto.open_config(sealed) == DOCUMENT
    assert crypto.seal_config(Config, sealed) == sealed, "sealing again changes nothing"


def test_a_config_is_loaded_masked_and_printed_without_its_secrets():
    sealed = crypto.seal_config(Config, DOCUMENT)
    config = crypto.load_config(Config, sealed)
    assert config.api_key == "sk-abcdefghijkl"
    assert "sk-" not in repr(config)
    masked = crypto.masked_config(Config, sealed)
    assert masked["api_key"] == "…ijkl"
    assert masked == crypto.masked_config(Config, DOCUMENT)


def test_a_refused_config_does_not_quote_its_input():
    with pytest.raises(ValueError, match="api_key") as caught:
        Config.load({"api_key": ["sk-very-secret"]})
    assert "very" not in str(caught.value)
