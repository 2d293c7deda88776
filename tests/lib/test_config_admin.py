"""The admin shows a plugin's own fields, stores what its Config accepts, and never a secret in the clear."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.test import RequestFactory
from pydantic import Field
from unfold.admin import ModelAdmin

from worktool_ai.lib import crypto
from worktool_ai.lib.config import SECRET, PluginConfig
from worktool_ai.lib.config_admin import PluginConfigAdminMixin
from worktool_ai.lib.registry import Plugin, Registry


class Webhook(Plugin):
    """Posts to an address."""

    key = "webhook"
    label = "Webhook"

    class Config(PluginConfig):
        url: str
        token: str = Field(default="", json_schema_extra=SECRET)


class Channel(models.Model):
    """A row that a plugin configures; never created in a database."""

    name = models.CharField(max_length=20)
    kind = models.CharField(max_length=20)
    config = models.JSONField(default=dict, blank=True)

    class Meta:
        app_label = "lib_tests"
        managed = False

    def __str__(self) -> str:
        return self.name


registry: Registry[Plugin] = Registry("channel", Plugin, "tests.lib")
registry.register(Webhook)


class ChannelAdmin(PluginConfigAdminMixin, ModelAdmin):  # type: ignore[misc]
    plugin_registry = registry
    fieldsets = ((None, {"fields": ("name", "kind", "config")}),)


class PlainAdmin(PluginConfigAdminMixin, ModelAdmin):  # type: ignore[misc]
    plugin_registry = registry


class Person(AnonymousUser):
    """May do what the test says."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return any(f".{word}_" in perm for word in self.allowed)


def request(method: str = "get", data: dict[str, str] | None = None, allowed=("add", "change", "view")):
    made = getattr(RequestFactory(), method)("/", data or {})
    made.user = Person(*allowed)
    return made


@pytest.fixture(params=[ChannelAdmin, PlainAdmin])
def channel_admin(request):
    return request.param(Channel, AdminSite())


@pytest.fixture
def channel() -> Channel:
    config = crypto.seal_config(Webhook.Config, {"url": "https://old.example", "token": "very-secret-token"})
    return Channel(pk=1, name="ops", kind="webhook", config=config)


def shown(channel_admin, asked, obj=None) -> list[str]:
    return sorted(name for _title, options in channel_admin.get_fieldsets(asked, obj) for name in options["fields"])


def test_a_new_row_first_asks_for_its_kind(channel_admin):
    form = channel_admin.get_form(request())
    assert [value for value, _label in form.base_fields["kind"].choices] == ["", "webhook"]
    assert "data-plugin-kind" in str(form()["kind"])
    assert shown(channel_admin, request()) == ["kind", "name"]


def test_once_chosen_the_plugins_fields_are_shown(channel_admin):
    asked = request(data={"kind": "webhook"})
    assert shown(channel_admin, asked) == ["config", "kind", "name"]
    html = str(channel_admin.get_form(asked)()["config"])
    assert 'name="config-url"' in html
    assert 'type="password"' in html


def test_what_is_saved_is_validated_and_sealed(channel_admin):
    data = {"name": "ops", "kind": "webhook", "config-url": "https://new.example", "config-token": "very-secret"}
    form = channel_admin.get_form(request("post", data))(data)
    assert form.is_valid(), form.errors
    row = form.save(commit=False)
    assert "very-secret" not in str(row.config)
    assert crypto.load_config(Webhook.Config, row.config).token == "very-secret"


def test_a_config_that_the_plugin_refuses_is_not_saved(channel_admin):
    data = {"name": "ops", "kind": "webhook", "config-url": ""}
    form = channel_admin.get_form(request("post", data))(data)
    assert not form.is_valid()
    assert "required" in str(form["config"]) or "必填" in str(form["config"])


def test_a_changed_row_keeps_its_kind_and_untouched_secret(channel_admin, channel):
    asked = request("post")
    assert "kind" in channel_admin.get_readonly_fields(asked, channel)
    form_class = channel_admin.get_form(asked, channel, change=True)
    assert "very-secret" not in str(form_class(instance=channel)["config"])
    before = channel.config["token"]
    form = form_class({"name": "ops", "config-url": "https://new.example", "config-token": ""}, instance=channel)
    assert form.is_valid(), form.errors
    assert form.changed_data == ["config"]
    assert form.save(commit=False).config == {
        "config_version": 1,
        "url": "https://new.example",
        "token": before,
    }


def test_whoever_may_only_look_sees_a_masked_document(channel_admin, channel):
    asked = request(allowed=("view",))
    assert shown(channel_admin, asked, channel) == ["kind", "name", "shown_config"]
    text = channel_admin.shown_config(channel)
    assert "https://old.example" in text
    assert "very-secret" not in text
    assert channel.config["token"]["sealed"] not in text


def test_a_row_of_a_removed_kind_can_still_be_opened(channel_admin, channel):
    channel.kind = "pigeon"
    assert shown(channel_admin, request(), channel) == ["kind", "name", "shown_config"]
    assert "very-secret" not in channel_admin.shown_config(channel)
    assert "config" not in channel_admin.get_form(request(), channel, change=True).base_fields
