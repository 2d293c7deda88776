"""The interface is Chinese until somebody chooses English, whatever the browser prefers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def test_a_browser_that_prefers_english_still_gets_chinese(client):
    answer = client.get("/admin/login/", headers={"accept-language": "en-US,en"})
    assert answer.headers["Content-Language"] == "zh-hans"


def test_the_language_switch_is_followed(client):
    client.post("/language/setlang/", {"language": "en"})
    assert client.get("/admin/login/").headers["Content-Language"] == "en"
