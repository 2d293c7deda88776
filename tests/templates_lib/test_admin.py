from __future__ import annotations

import pytest
from django.urls import reverse

from templates_lib import seeds
from templates_lib.models import MessageTemplate, TemplateCategory
from worktool_ai.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client):
    seeds.seed()
    client.force_login(User.objects.create_user("op", role="operator", is_staff=True))
    return client


def save(client, **fields):
    values = {
        "slug": "mine",
        "category": TemplateCategory.objects.get(name="通用回复").pk,
        "name": "我的",
        "body": "您好{{userName}}，我是{{botName}}。",
        "is_active": "on",
    }
    return client.post(reverse("admin:templates_lib_messagetemplate_add"), {**values, **fields})


def errors(response):
    return response.context["adminform"].form.errors


def test_lists_and_rows_open(operator):
    row = MessageTemplate.objects.get(slug="welcome-newcomer-general")

    assert operator.get(reverse("admin:templates_lib_messagetemplate_changelist")).status_code == 200
    assert operator.get(reverse("admin:templates_lib_templatecategory_changelist")).status_code == 200
    shown = operator.get(reverse("admin:templates_lib_messagetemplate_change", args=[row.pk])).content.decode()
    assert "欢迎张三" in shown


def test_a_template_is_saved_with_the_variables_that_it_uses(operator):
    response = save(operator, variants="第一种{{userName}}\n第二行\n---\n第二种，好的", intents="service\nhelp")

    assert response.status_code == 302, errors(response)
    row = MessageTemplate.objects.get(slug="mine")
    assert [variable["key"] for variable in row.variables] == ["userName", "botName"]
    assert row.variants == ["第一种{{userName}}\n第二行", "第二种，好的"]
    assert row.intents == ["service", "help"]


@pytest.mark.parametrize(
    ("fields", "field", "named"),
    [
        ({"body": "您好{{usrName}}"}, "body", "userName"),
        ({"body": "您好{{weather}}"}, "body", "weather"),
        ({"private_body": "您好{{"}, "private_body", "{{name}}"),
        ({"variants": "您的话已被标记"}, "variants", "标记"),
    ],
)
def test_what_could_not_be_said_is_refused_at_its_field(operator, fields, field, named):
    response = save(operator, **fields)

    assert response.status_code == 200
    assert named in str(errors(response)[field])
    assert not MessageTemplate.objects.filter(slug="mine").exists()


def test_a_viewer_looks_but_does_not_touch(client):
    seeds.seed()
    client.force_login(User.objects.create_user("v", role="viewer", is_staff=True))

    assert client.get(reverse("admin:templates_lib_messagetemplate_changelist")).status_code == 200
    assert save(client).status_code == 403
