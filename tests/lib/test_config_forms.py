"""Every field of a plugin's Config has an input; what is sent becomes the document; secrets are never shown."""

from __future__ import annotations

import datetime
import json
import re
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from cryptography.fernet import Fernet
from django.utils import translation
from pydantic import BaseModel, Field, HttpUrl, field_validator, model_validator

from worktool_ai.lib import config_forms, crypto
from worktool_ai.lib.config import SECRET, PluginConfig
from worktool_ai.lib.config_forms import (
    UnsupportedFieldError,
    config_form,
    config_schema,
    document_from,
    form_class_for,
    register_choices,
)


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Rule(BaseModel):
    label: str = Field(min_length=1, title="Rule")
    condition: str = Field(default="", json_schema_extra={"multiline": True})
    token: str = Field(default="", json_schema_extra=SECRET)
    active: bool = True

    @field_validator("condition")
    @classmethod
    def _compiles(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("this is not a condition")
        return value


class Limits(BaseModel):
    per_minute: int = Field(default=5, ge=1, le=60)
    per_day: int | None = None


class Config(PluginConfig):
    name: str = Field(min_length=2, max_length=20, title="Display name", description="Shown to people.")
    prompt: str = Field(default="Hello", json_schema_extra={"multiline": True})
    temperature: float = Field(default=0.7, ge=0, le=2)
    attempts: int = Field(default=3, gt=0)
    enabled: bool = True
    mode: Literal["fast", "good"] = Field(
        default="fast", json_schema_extra={"labels": {"fast": "Quick", "good": "Careful"}}
    )
    number: Literal[1, 2] = 1
    level: Level | None = None
    room: str = Field(default="", json_schema_extra={"choices": "test-rooms"})
    rooms: list[str] = Field(default=[], json_schema_extra={"choices": "test-rooms"})
    words: list[str] = ["退款", "退货"]
    numbers: list[int] = []
    api_key: str = Field(default="", json_schema_extra=SECRET)
    rules: list[Rule] = []
    headers: dict[str, str] = {}
    tokens: dict[str, str] = Field(default={}, json_schema_extra=SECRET)
    limits: Limits = Limits()
    url: HttpUrl | None = None
    at: datetime.time | None = None

    @model_validator(mode="after")
    def _odd(self) -> Config:
        if self.name == "whole":
            raise ValueError("this name never works")
        return self


@pytest.fixture(autouse=True)
def _rooms():
    register_choices("test-rooms", lambda: [("a", "客服群"), ("b", "售后群")])
    with translation.override("en"):
        yield


STORED: dict[str, Any] = {
    "config_version": 1,
    "name": "小助手",
    "prompt": "一\n二",
    "api_key": "sk-top-secret",
    "rules": [
        {"label": "first", "condition": "x", "token": "rule-secret-1", "active": False},
        {"label": "second", "condition": "", "token": "rule-secret-2", "active": True},
    ],
    "headers": {"X-A": "1"},
    "tokens": {"t": "map-secret"},
    "limits": {"per_minute": 9, "per_day": None},
    "url": "https://example.com/",
}


def stored() -> dict[str, Any]:
    return crypto.seal_config(Config, STORED)


def sent_by(html: str) -> dict[str, Any]:
    """Return what a browser would send for a rendered form, templates for new rows left out."""
    html = re.sub(r"<template.*?</template>", "", html, flags=re.S)
    data: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or re.search(" checked[ >]", tag)):
            data[name[1]] = value[1] if value else "on" if "checkbox" in tag else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', html, flags=re.S):
        data[name] = text
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, flags=re.S):
        chosen = re.findall(r'value="([^"]*)" selected', options)
        data[name] = chosen[0] if chosen else ""
    return data


def page(document: dict[str, Any] | None = None) -> str:
    return str(config_form(Config, initial=document, prefix="config").as_div())


def submit(changes: dict[str, Any] | None = None, document: dict[str, Any] | None = None):
    data = {**sent_by(page(document)), **(changes or {})}
    data = {name: value for name, value in data.items() if value is not None}
    return config_form(Config, data, initial=document, prefix="config")


def test_an_untouched_form_keeps_the_document_and_every_secret_token():
    before = stored()
    form = submit(document=before)
    assert form.is_valid(), form.errors
    after = document_from(form)
    assert {name: after[name] for name in STORED} == {name: before[name] for name in STORED}
    assert after["words"] == ["退款", "退货"]
    assert after["config_version"] == 1


def test_no_secret_is_ever_in_the_page():
    for shown in (page(stored()), str(submit({"config-name": ""}, stored()).as_div())):
        assert "secret" not in shown
        for token in re.findall(r'"sealed": "([^"]+)"', json.dumps(stored())):
            assert token not in shown


def test_what_is_typed_becomes_the_document():
    form = submit(
        {
            "config-name": "新名字",
            "config-temperature": "1.5",
            "config-enabled": None,
            "config-mode": "good",
            "config-number": "2",
            "config-level": "high",
            "config-room": "b",
            "config-rooms": ["a", "b"],
            "config-words": " 一 \n\n二\n",
            "config-numbers": "1\n2",
            "config-api_key": "sk-new-value",
            "config-url": "",
            "config-at": "08:30",
            "config-limits-per_day": "100",
            "config-headers-7-origin": "",
            "config-headers-7-key": "X-B",
            "config-headers-7-value": "2",
        },
        stored(),
    )
    form.data = MultiDict(form.data)
    assert form.is_valid(), form.errors
    opened = crypto.load_config(Config, document_from(form))
    assert opened.name == "新名字"
    assert (opened.temperature, opened.enabled, opened.mode, opened.number) == (1.5, False, "good", 2)
    assert opened.level is Level.HIGH
    assert (opened.room, opened.rooms) == ("b", ["a", "b"])
    assert (opened.words, opened.numbers) == (["一", "二"], [1, 2])
    assert opened.api_key == "sk-new-value"
    assert (opened.url, opened.at) == (None, datetime.time(8, 30))
    assert opened.limits == Limits(per_minute=9, per_day=100)
    assert opened.headers == {"X-A": "1", "X-B": "2"}
    assert "sk-new-value" not in json.dumps(document_from(form))


class MultiDict(dict):
    """As much of a QueryDict as a multiple select needs."""

    def getlist(self, name):
        value = self.get(name, [])
        return value if isinstance(value, list) else [value]


def test_removed_and_added_rows_keep_the_right_secrets():
    gone = {f"config-rules-0-{name}": None for name in ("origin", "label", "condition", "token", "active")}
    new = {"config-rules-5-origin": "", "config-rules-5-label": "third", "config-rules-5-token": "rule-secret-3"}
    form = submit({**gone, **new}, stored())
    assert form.is_valid(), form.errors
    rules = crypto.load_config(Config, document_from(form)).rules
    assert [(rule.label, rule.token) for rule in rules] == [("second", "rule-secret-2"), ("third", "rule-secret-3")]


def test_a_single_dash_removes_a_secret():
    form = submit({"config-api_key": "-", "config-tokens-0-value": "-"}, stored())
    assert form.is_valid(), form.errors
    assert document_from(form)["api_key"] == ""
    assert document_from(form)["tokens"] == {"t": ""}


def test_a_secret_whose_key_is_lost_is_kept_as_it_is(settings):
    before = stored()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    form = submit({"config-name": "anders"}, before)
    assert form.is_valid(), form.errors
    assert document_from(form)["api_key"] == before["api_key"]


def test_rows_in_which_nothing_was_typed_do_not_count():
    empty = {"config-rules-9-origin": "", "config-rules-9-label": "", "config-headers-9-origin": "9999999999"}
    form = submit(empty, stored())
    assert form.is_valid(), form.errors
    assert len(document_from(form)["rules"]) == 2


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"config-name": ""}, "name", "required"),
        ({"config-name": "x"}, "name", "at least 2"),
        ({"config-temperature": "3"}, "temperature", "less than or equal to 2"),
        ({"config-temperature": ""}, "temperature", "required"),
        ({"config-attempts": "0"}, "attempts", "more than 0"),
        ({"config-mode": "odd"}, "mode", "valid choice"),
        ({"config-room": "z"}, "room", "valid choice"),
        ({"config-numbers": "1\nx"}, "numbers", "whole number"),
        ({"config-limits-per_minute": "61"}, "limits", "marked"),
        ({"config-rules-0-label": ""}, "rules", "marked"),
        ({"config-rules-1-condition": "bad"}, "rules", "marked"),
        ({"config-headers-3-origin": "", "config-headers-3-key": "X-A"}, "headers", "once"),
        ({"config-url": "nonsense"}, "url", ""),
        ({"config-name": "whole"}, "__all__", "never works"),
    ],
)
def test_problems_stand_at_their_field(changes, field, text):
    form = submit(changes, stored())
    assert not form.is_valid()
    assert text in str(form.errors[field])


def test_a_problem_that_only_the_config_knows_is_shown_in_its_row():
    form = submit({"config-rules-1-condition": "bad"}, stored())
    html = str(form.as_div())
    before, _, after = html.partition("this is not a condition")
    assert after, "shown"
    assert before.count("data-config-row>") >= 2, "in the second row"
    assert 'value="second"' in before


def test_a_new_form_shows_defaults():
    data = sent_by(page())
    assert data["config-prompt"] == "Hello"
    assert data["config-words"] == "退款\n退货"
    assert data["config-limits-per_minute"] == "5"
    assert data["config-enabled"] == "on"
    assert "Quick" in page()


def test_a_row_template_is_numbered_by_its_own_placeholder():
    template = re.search(r"<template.*?</template>", page(), flags=re.S)
    assert template is not None
    assert 'name="config-rules-__row_config-rules__-label"' in template[0]


def test_older_documents_are_upgraded_before_they_are_shown():
    class Newer(PluginConfig):
        version = 2
        limit: int = 1

        @classmethod
        def upgrade(cls, stored, from_version):
            return {"limit": stored["max"]}

    assert 'value="7"' in str(config_form(Newer, initial={"config_version": 1, "max": 7}).as_div())


@pytest.mark.parametrize(
    "kind", [dict[str, Any], dict[str, dict[str, str]], list[dict[str, str]], str | int, Any, bytes, list[list[str]]]
)
def test_a_field_without_an_input_is_refused(kind):
    odd = type("Odd", (PluginConfig,), {"__annotations__": {"field": kind}, "field": None})
    with pytest.raises(UnsupportedFieldError, match=r"Odd\.field"):
        form_class_for(odd)


def test_annotated_items_are_understood():
    class Strict(PluginConfig):
        words: list[Annotated[str, Field(max_length=3)]] = []

    form = config_form(Strict, {"words": "abcd"})
    assert not form.is_valid()
    assert "3" in str(form.errors["words"])


def test_unregistered_choices_are_named():
    class Lost(PluginConfig):
        room: str = Field(default="", json_schema_extra={"choices": "test-nowhere"})

    with pytest.raises(LookupError, match="test-nowhere"):
        str(config_form(Lost).as_div())


def test_the_schema_for_the_editor_has_choices_and_hides_secrets():
    schema = config_schema(Config)
    fields = schema["properties"]
    assert fields["api_key"]["writeOnly"] is True
    assert "secret" not in fields["api_key"]
    assert fields["room"]["options"] == [{"value": "a", "label": "客服群"}, {"value": "b", "label": "售后群"}]
    assert {"value": "good", "label": "Careful"} in fields["mode"]["options"]
    assert fields["prompt"]["multiline"] is True
    json.dumps(schema)


def test_texts_of_the_config_are_translated(monkeypatch):
    monkeypatch.setattr(config_forms, "gettext", lambda text: f"«{text}»")
    assert config_schema(Config)["properties"]["name"]["title"] == "«Display name»"
