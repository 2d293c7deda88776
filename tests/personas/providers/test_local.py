from __future__ import annotations

import pytest

from personas import caches
from personas.providers import ChatMessage, ChatRequest
from personas.providers.local import LocalProvider
from templates_lib import caches as template_caches
from tests.planted import plant_personas
from worktool_ai.lib.config import PluginConfig

pytestmark = pytest.mark.django_db


def ask(*messages: ChatMessage) -> str:
    local = LocalProvider(PluginConfig(), api_key="", endpoint="", model_id="local")
    return local.chat(ChatRequest(messages, temperature=0.0, max_tokens=10, timeout=5.0)).text


def test_the_last_line_of_the_customer_is_answered_by_a_template():
    plant_personas()

    answer = ask(ChatMessage("system", "你是客服"), ChatMessage("user", "如何退款？"))

    assert "退款" in answer


def test_it_answers_even_with_nothing_to_answer_from():
    caches.clear()
    template_caches.clear()

    assert ask(ChatMessage("user", "如何退款？"))
