"""The interface is Chinese until somebody chooses English, whatever the browser prefers."""

from __future__ import annotations

import pytest

from tests.monitoring.builders import person
from worktool_ai.accounts.models import Role

pytestmark = pytest.mark.django_db


def test_a_browser_that_prefers_english_still_gets_chinese(client):
    answer = client.get("/admin/login/", headers={"accept-language": "en-US,en"})
    assert answer.headers["Content-Language"] == "zh-hans"


def test_the_language_switch_is_followed(client):
    client.post("/language/setlang/", {"language": "en"})
    assert client.get("/admin/login/").headers["Content-Language"] == "en"


def test_a_persons_language_is_used_and_the_switch_wins(client):
    reader = person(language="en")
    client.force_login(reader)
    assert client.get("/admin/").headers["Content-Language"] == "en"
    client.post("/language/setlang/", {"language": "zh-hans"})
    assert client.get("/admin/").headers["Content-Language"] == "zh-hans"


def test_it_is_changed_on_the_persons_page(client):
    owner = person(Role.OWNER)
    client.force_login(owner)
    page = f"/admin/accounts/user/{owner.pk}/change/"
    fields = {"username": owner.username, "role": "owner", "is_active": "on", "is_staff": "on", "scope_kind": "all"}
    refused = client.post(page, {**fields, "language": "xx"})
    assert refused.status_code == 200
    assert client.post(page, {**fields, "language": "en"}).status_code == 302
    assert client.get("/admin/").headers["Content-Language"] == "en"
