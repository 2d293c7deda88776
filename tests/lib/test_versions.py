from __future__ import annotations

from itertools import pairwise

import pytest

from templates_lib.models import MessageTemplate, TemplateCategory
from worktool_ai.lib.versions import rows_version

pytestmark = pytest.mark.django_db(transaction=True)


def version():
    return rows_version(TemplateCategory, MessageTemplate)


def test_it_changes_with_every_change_and_with_nothing_else():
    seen = [version()]
    category = TemplateCategory.objects.create(name="问候语")
    seen.append(version())
    TemplateCategory.objects.update(description="日常问候")
    seen.append(version())
    template = MessageTemplate.objects.create(slug="hi", category=category, name="你好", body="你好")
    seen.append(version())
    template.delete()
    seen.append(version())

    assert all(one != next_one for one, next_one in pairwise(seen))
    assert version() == seen[-1]


def test_a_row_exchanged_for_another_is_a_change():
    TemplateCategory.objects.create(name="问候语")
    before = version()
    TemplateCategory.objects.all().delete()
    TemplateCategory.objects.create(name="问候语")

    assert version() != before
