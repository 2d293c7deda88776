"""The admin pages of models, personas, intents and rules, as people use them."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from personas import caches
from personas.models import AICall, AIModel, AIModelHealthCheck, Intent, IntentRule, Persona
from tests.personas.test_hotpath import insert, record
from tests.planted import plant_personas
from worktool_ai.accounts.models import User
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _planted():
    plant_personas()


def signed_in(client, role="owner"):
    client.force_login(User.objects.create_user(role, role=role, is_staff=True))
    return client


@pytest.fixture
def owner(client):
    return signed_in(client)


def page(client, name: str, /, *args, **query):
    return client.get(reverse(f"admin:personas_{name}", args=args), query)


def post(client, name: str, /, *args, **data):
    return client.post(reverse(f"admin:personas_{name}", args=args), data)


def told(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.mark.parametrize(
    "model", ["aimodel", "aimodelhealthcheck", "persona", "personamapping", "intent", "intentrule", "aicall"]
)
def test_every_list_opens_and_can_be_searched(owner, model):
    insert(record())

    assert page(owner, f"{model}_changelist").status_code == 200
    assert page(owner, f"{model}_changelist", q="x").status_code == 200


@pytest.mark.parametrize("model", [AIModel, Persona, Intent, IntentRule])
def test_every_row_opens(owner, model):
    row = model.objects.first()

    assert page(owner, f"{model._meta.model_name}_change", row.pk).status_code == 200


def test_a_model_is_added_with_its_providers_fields_and_its_key_is_never_shown(owner):
    form = page(owner, "aimodel_add", provider="custom").content.decode()
    assert "max_completion_tokens" in form

    response = post(
        owner,
        "aimodel_add",
        name="我的模型",
        provider="custom",
        model_id="m1",
        model_type="chat",
        api_endpoint="https://llm.example.com/v1",
        api_key="sk-very-secret-1234",
        capabilities=["chat", "service_reply"],
        is_active="on",
        **config_inputs(form),
    )

    assert response.status_code == 302, response.context["adminform"].form.errors
    model = AIModel.objects.get(name="我的模型")
    assert model.api_key.reveal() == "sk-very-secret-1234"
    assert model.capabilities == ["chat", "service_reply"]
    assert model.config["timeout_s"] == 30.0
    shown = page(owner, "aimodel_change", model.pk).content.decode()
    assert "sk-very-secret" not in shown


def config_inputs(page_text: str) -> dict[str, str]:
    """The names that the config form's inputs have on the page, with values that leave the defaults."""
    import re

    prefix = re.search(r'name="([^"]*)max_tokens_field"', page_text).group(1)
    typed = {"max_tokens_field": "max_tokens", "timeout_s": "30", "structured": "text", "thinking_tokens": "0"}
    return {prefix + name: value for name, value in typed.items()}


def test_the_test_button_asks_a_real_question_and_keeps_the_result(owner):
    model = AIModel.objects.get(provider="local")

    response = post(owner, "aimodel_test", model.pk)

    assert response.status_code == 302
    assert "毫秒后回答" in told(response)
    check = AIModelHealthCheck.objects.get()
    assert (check.model, check.status) == (model, "healthy")
    assert AICall.objects.get().task == "health"


def test_a_test_that_fails_says_why(owner):
    model = AIModel.objects.get(provider="custom")
    AIModel.objects.filter(pk=model.pk).update(api_endpoint="http://127.0.0.1:9/v1")

    response = post(owner, "aimodel_test", model.pk)

    assert "bad_request" in told(response)
    assert AIModelHealthCheck.objects.get().status == "down"


def test_the_test_button_is_no_link(owner):
    assert page(owner, "aimodel_test", AIModel.objects.first().pk).status_code == 405
    assert post(owner, "aimodel_test", uuid7()).status_code == 404


def test_who_may_not_change_models_may_not_test_them(client):
    operator = signed_in(client, "operator")

    assert post(operator, "aimodel_test", AIModel.objects.first().pk).status_code == 403
    assert not AIModelHealthCheck.objects.exists()


def test_a_persona_says_who_answers_now_and_why(owner):
    custom = AIModel.objects.get(provider="custom")
    Persona.objects.filter(slug="service").update(model=custom)
    persona = Persona.objects.get(slug="service")

    shown = page(owner, "persona_change", persona.pk).content.decode()

    assert "正在用本地回复" in shown


def test_a_rule_that_cannot_be_searched_is_refused(owner):
    fields = {"slug": "mine", "intent": "service", "weight": "1", "phrases": "", "patterns": "("}

    response = post(owner, "intentrule_add", **fields)

    assert response.status_code == 200
    assert not IntentRule.objects.filter(slug="mine").exists()


def test_a_new_rule_counts_at_once_and_is_audited(owner):
    fields = {
        "slug": "mine",
        "intent": "admin",
        "weight": "1",
        "is_active": "on",
        "phrases": "开天窗,关地窗\n\n飞天遁地",
    }

    response = post(owner, "intentrule_add", **fields)

    assert response.status_code == 302, response.context["adminform"].form.errors
    assert IntentRule.objects.get(slug="mine").phrases == ["开天窗,关地窗", "飞天遁地"]
    caches.clear()
    assert caches.recogniser().recognise("我要飞天遁地").intent == "admin"


def test_a_sentence_is_tried_on_the_rules_in_force(owner):
    shown = page(owner, "intentrule_try", text="如何退款？").content.decode()

    assert "支付问题" in shown
    assert "退款" in shown
    assert page(owner, "intentrule_try").status_code == 200


def test_what_a_stranger_types_is_only_text(owner):
    shown = page(owner, "intentrule_try", text="<script>alert(1)</script>").content.decode()

    assert "<script>alert(1)" not in shown


def test_calls_can_only_be_looked_at(owner):
    run = uuid7()
    insert(record(run_id=str(run), request={"text": "如何退款？"}))
    call = AICall.objects.get()

    shown = page(owner, "aicall_change", call.pk).content.decode()

    assert "如何退款？" in shown
    assert page(owner, "aicall_add").status_code == 403
    assert post(owner, "aicall_delete", call.pk).status_code == 403
    assert str(call.pk) in page(owner, "aicall_changelist", q=str(run)).content.decode()


@pytest.mark.parametrize(("role", "status"), [("engineer", 200), ("operator", 403), ("viewer", 403)])
def test_customers_words_in_calls_are_not_for_everybody(client, role, status):
    assert page(signed_in(client, role), "aicall_changelist").status_code == status
