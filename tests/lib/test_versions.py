"""Changes of configuration tables are noticed, in one statement for all copies in memory."""

from __future__ import annotations

from itertools import count, pairwise
from typing import Any, NoReturn

import pytest
from django.db import DatabaseError

from robots.models import Robot, RobotGroup
from templates_lib.models import MessageTemplate, TemplateCategory
from tests.monitoring import builders
from worktool_ai.lib import versions as module
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.clock import now
from worktool_ai.lib.versions import TableVersions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def looked() -> TableVersions:
    return TableVersions(max_age_s=0.0)


def test_they_change_with_every_change_and_with_nothing_else(looked: TableVersions) -> None:
    def known() -> Any:
        return looked.look([TemplateCategory, MessageTemplate])

    seen = [known()]
    category = TemplateCategory.objects.create(name="问候语")
    seen.append(known())
    TemplateCategory.objects.update(description="日常问候")
    seen.append(known())
    template = MessageTemplate.objects.create(slug="hi", category=category, name="你好", body="你好")
    seen.append(known())
    template.delete()
    seen.append(known())

    assert all(one != next_one for one, next_one in pairwise(seen))
    assert known() is seen[-1]


def test_a_row_exchanged_for_another_is_a_change(looked: TableVersions) -> None:
    TemplateCategory.objects.create(name="问候语")
    before = looked.look([TemplateCategory])
    TemplateCategory.objects.all().delete()
    TemplateCategory.objects.create(name="问候语")

    assert looked.look([TemplateCategory]) != before


def test_what_changes_all_day_is_no_change(looked: TableVersions) -> None:
    builders.robot()
    before = looked.look([Robot])
    Robot.objects.update(last_callback_at=now())
    assert looked.look([Robot]) is before
    Robot.objects.update(name="另一个名字")
    assert looked.look([Robot]) != before


def test_all_tables_of_a_process_are_looked_up_in_one_statement(
    looked: TableVersions, django_assert_num_queries: Any
) -> None:
    looked.look([Robot, RobotGroup])
    looked.look([TemplateCategory])
    with django_assert_num_queries(1):
        assert {Robot, RobotGroup, TemplateCategory} <= looked.known().keys()


def test_a_copy_is_made_anew_only_when_one_of_its_own_tables_has_changed(looked: TableVersions) -> None:
    copy = VersionedCache(count(1).__next__, TemplateCategory, versions=looked)
    other = VersionedCache(RobotGroup.objects.count, RobotGroup, versions=looked)
    assert (copy.get(), other.get()) == (1, 0)
    RobotGroup.objects.create(name="客服")
    assert (copy.get(), other.get()) == (1, 1)
    TemplateCategory.objects.create(name="问候语")
    assert copy.get() == 2


def test_a_copy_serves_on_without_the_database_and_follows_when_it_is_back(
    looked: TableVersions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> int:
        if is_away:
            away()
        return TemplateCategory.objects.count()

    def away() -> NoReturn:
        raise DatabaseError("away")

    is_away = False
    copy = VersionedCache(load, TemplateCategory, versions=looked)
    assert copy.get() == 0
    TemplateCategory.objects.create(name="问候语")
    with monkeypatch.context() as patched:
        patched.setattr(module, "borrowed", away)
        assert copy.get() == 0, "the look fails"
    is_away = True
    assert copy.get() == 0, "the look succeeds, the load fails"
    is_away = False
    assert copy.get() == 1
    copy.clear()
    is_away = True
    with pytest.raises(DatabaseError):
        copy.get()
