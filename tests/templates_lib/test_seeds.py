from __future__ import annotations

import pytest

from templates_lib import caches, seeds
from templates_lib.library import load_library
from templates_lib.models import MessageTemplate, TemplateCategory

pytestmark = pytest.mark.django_db


def test_all_categories_and_templates_of_the_files_are_planted():
    library = load_library()

    planted = seeds.seed()

    assert TemplateCategory.objects.count() == len(library.categories) == 24
    assert MessageTemplate.objects.count() == len(library.templates)
    assert planted == 24 + len(library.templates)
    assert {t.slug for t in caches.templates()} == {t.slug for t in library.templates if t.active}


def test_a_second_time_plants_nothing():
    seeds.seed()

    assert seeds.seed() == 0


def test_an_edited_and_a_deleted_template_stay_as_the_operator_left_them():
    seeds.seed()
    MessageTemplate.objects.filter(slug="ask-back").update(body="请问您说的是哪一件事？")
    MessageTemplate.objects.filter(slug="chat-thanks").delete()

    seeds.seed()

    assert MessageTemplate.objects.get(slug="ask-back").body == "请问您说的是哪一件事？"
    assert not MessageTemplate.objects.filter(slug="chat-thanks").exists()


def test_a_deleted_category_takes_its_unplanted_templates_along(monkeypatch):
    library = load_library()
    without = library.model_copy(update={"templates": ()})
    monkeypatch.setattr(seeds, "load_library", lambda: without)
    seeds.seed()
    TemplateCategory.objects.filter(name="节日祝福").delete()
    monkeypatch.setattr(seeds, "load_library", lambda: library)

    seeds.seed()

    assert not TemplateCategory.objects.filter(name="节日祝福").exists()
    assert MessageTemplate.objects.filter(category__name="闲聊回复").exists()


def test_an_operators_own_template_under_a_seeded_slug_is_kept():
    category = TemplateCategory.objects.create(name="通用回复", order=24)
    MessageTemplate.objects.create(slug="ask-back", category=category, name="我的", body="什么事呢？")

    seeds.seed()

    assert MessageTemplate.objects.get(slug="ask-back").body == "什么事呢？"
