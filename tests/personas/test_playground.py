"""The playground and the versions page, as engineers use them: nothing is sent, everything is recorded as a test."""

from __future__ import annotations

import pytest
from django.urls import reverse

from personas import caches
from personas.model_stub.testing import running_model_stub
from personas.models import AICall, AIModel, Persona
from personas.prompt_versions import change_prompt
from personas.providers.custom import CustomProvider
from tests.personas.test_hotpath import insert, record
from tests.planted import plant_personas
from worktool_ai.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def persona() -> Persona:
    plant_personas()
    caches.clear()
    return Persona.objects.get(slug="service")


@pytest.fixture
def stub():
    with running_model_stub() as stub:
        yield stub


@pytest.fixture
def model(stub) -> AIModel:
    return AIModel.objects.create(
        name="云模型",
        provider="custom",
        model_id="stub",
        api_endpoint=stub.base_url,
        api_key="k",
        config=CustomProvider.Config(allow_private=True).dump(),
        capabilities=["intent_recognition", "service_reply"],
    )


@pytest.fixture
def engineer(client):
    return signed_in(client, "engineer")


def signed_in(client, role):
    client.force_login(User.objects.create_user(role, role=role, is_staff=True))
    return client


def page(client, persona, name="playground", **query):
    return client.get(reverse(f"admin:personas_persona_{name}", args=[persona.pk]), query)


def asked(client, persona, side="left", **data):
    caches.clear()
    fields = {
        "line": "如何退款？",
        "turns": "客户：在吗\n我们：在的",
        "is_group": "on",
        "left_model": "local",
        "left_prompt": "current",
        "right_prompt": "current",
        "draft": "",
    }
    return client.post(reverse("admin:personas_persona_try", args=[persona.pk, side]), {**fields, **data})


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("engineer", 200), ("operator", 403), ("viewer", 403)])
def test_owner_and_engineer_may_try_prompts(client, persona, role, status):
    signed_in(client, role)

    assert page(client, persona).status_code == status
    assert asked(client, persona).status_code == status
    shown = page(client, persona, "change").content.decode()
    assert ("/playground/" in shown) == (status == 200)


def test_without_any_cloud_model_the_local_answer_is_shown(engineer, persona):
    shown = asked(engineer, persona).content.decode()

    assert "支付问题" in shown
    assert "退款" in shown
    assert "— + —" in shown
    calls = AICall.objects.all()
    assert {call.task for call in calls} == {"intent", "reply"}
    assert all(call.is_test and call.node_id == "playground" for call in calls)


def test_a_model_that_is_switched_off_can_be_tried(engineer, persona, model, stub):
    shown = asked(engineer, persona, left_model=str(model.pk)).content.decode()

    assert "退款可在“我的订单”中申请" in shown
    messages = stub.requests()[-1]["messages"]
    assert persona.system_prompt.splitlines()[0] in shown
    assert "&lt;customer_text&gt;如何退款？&lt;/customer_text&gt;" in shown
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    model.refresh_from_db()
    assert not model.is_active


def test_a_draft_is_tried_and_not_kept(engineer, persona, model, stub):
    data = {"left_model": str(model.pk), "left_prompt": "draft", "draft": "你只说一个字。"}

    assert asked(engineer, persona, **data).status_code == 200

    assert stub.requests()[-1]["messages"][0]["content"].startswith("你只说一个字。")
    persona.refresh_from_db()
    assert persona.system_prompt != "你只说一个字。"
    assert persona.versions.count() == 1


def test_an_old_version_is_tried_with_its_own_settings(engineer, persona, model, stub):
    change_prompt(persona, "li", system_prompt="新的提示。", max_tokens=77)

    asked(engineer, persona, "right", right_model=str(model.pk), right_prompt="1")
    asked(engineer, persona, "left", left_model=str(model.pk))

    replies = [r for r in stub.requests() if "response_format" not in r and "JSON" not in r["messages"][0]["content"]]
    old, new = replies
    assert old["messages"][0]["content"].startswith(persona.system_prompt)
    assert new["messages"][0]["content"].startswith("新的提示。")
    assert 77 in new.values()
    assert 77 not in old.values()


def test_what_the_check_refused_is_shown_with_its_reason(engineer, persona, model, stub):
    stub.faults({"kind": "text", "value": "退您 500 元。", "purpose": "reply"})

    shown = asked(engineer, persona, left_model=str(model.pk)).content.decode()

    assert "金额“500 元”没有依据" in shown
    assert "退您 500 元。" in shown
    assert "模型没有给出可以发送的回答" in shown


def test_an_empty_right_side_asks_nobody(engineer, persona):
    assert asked(engineer, persona, "right").status_code == 204
    assert not AICall.objects.exists()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"line": " "}, "客户说的话"),
        ({"left_prompt": "draft"}, "先写好草稿"),
        ({"left_model": "0193e7a0-0000-7000-8000-000000000001"}, "左"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_asked(engineer, persona, data, told):
    response = asked(engineer, persona, **data)

    assert response.status_code == 422
    assert told in response.content.decode()
    assert not AICall.objects.exists()


def test_what_a_customer_writes_is_only_text_on_the_page(engineer, persona, model):
    shown = asked(engineer, persona, line="<script>alert(1)</script>退款", left_model=str(model.pk)).content.decode()

    assert "<script>" not in shown


def test_an_unknown_side_or_persona_is_not_found_and_a_link_asks_nobody(engineer, persona):
    assert asked(engineer, persona, "middle").status_code == 404
    assert engineer.get(reverse("admin:personas_persona_try", args=[persona.pk, "left"])).status_code == 405


# -- versions ------------------------------------------------------------------------------------------------------


def save(client, persona, **changes):
    fields = {
        "name": persona.name,
        "slug": persona.slug,
        "role_type": persona.role_type,
        "scenes": persona.scenes,
        "description": persona.description,
        "is_active": "on",
        "system_prompt": persona.system_prompt,
        "temperature": persona.temperature,
        "max_tokens": persona.max_tokens,
        "history_tokens": persona.history_tokens,
        "capabilities": persona.capabilities,
        "model": persona.model_id or "",
    }
    form = client.get(reverse("admin:personas_persona_change", args=[persona.pk])).context
    for inline in form["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        fields |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    response = client.post(reverse("admin:personas_persona_change", args=[persona.pk]), {**fields, **changes})
    assert response.status_code == 302, response.context["adminform"].form.errors


def test_a_changed_prompt_is_a_new_version_with_who_and_why(engineer, persona):
    save(engineer, persona, system_prompt="你很礼貌。", version_note="客户说太生硬")
    save(engineer, persona, system_prompt="你很礼貌。", name="改名")

    new, _old = persona.versions.order_by("-number")
    assert (new.number, new.made_by, new.note) == (2, "engineer", "客户说太生硬")
    shown = page(engineer, persona, "versions").content.decode()
    for told in ("v1 → v2", "客户说太生硬", "你很礼貌。", "engineer"):
        assert told in shown


def test_an_old_version_is_restored_by_a_button(engineer, persona):
    change_prompt(persona, "li", system_prompt="你很礼貌。")

    response = engineer.post(reverse("admin:personas_persona_restore", args=[persona.pk]), {"number": "1"})

    assert response.status_code == 302
    assert list(persona.versions.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
    restored = persona.system_prompt
    persona.refresh_from_db()
    assert persona.system_prompt == restored


def test_who_may_not_change_personas_may_look_and_not_restore(client, persona):
    signed_in(client, "viewer")

    assert page(client, persona, "versions").status_code == 200
    response = client.post(reverse("admin:personas_persona_restore", args=[persona.pk]), {"number": "1"})
    assert response.status_code == 403


def test_a_calls_page_shows_the_full_prompt(engineer, persona, model):
    asked(engineer, persona, left_model=str(model.pk))
    call = AICall.objects.get(task="reply", provider="custom")

    shown = engineer.get(reverse("admin:personas_aicall_change", args=[call.pk])).content.decode()

    assert "不用 Markdown" in shown
    assert "v1" in shown


def test_a_persona_shows_how_many_answers_were_refused_and_why(engineer, persona):
    def call(**response):
        return record(task="reply", persona_id=persona.pk, response={"text": "好的", **response})

    insert(call(), call(problem="claim"), call(problem="claim"), call(problem="leak"))
    insert(record(task="reply", persona_id=persona.pk, is_test=True, response={"text": "好", "problem": "role"}))

    shown = page(engineer, persona, "change").content.decode()

    assert "4 条中 3 条 · 没有依据 2 · 泄露提示词 1" in shown
