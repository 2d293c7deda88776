"""Cursors of the hot path: their statements are planned once a connection; otherwise they are as Django's."""

from __future__ import annotations

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from robots.models import RobotGroup
from worktool_ai.lib.db import prepared_cursor

pytestmark = pytest.mark.django_db

SAY = "SELECT %(number)s::int + 40000"


def say(number: int) -> int:
    with prepared_cursor() as cursor:
        cursor.execute(SAY, {"number": number})
        return int(cursor.fetchone()[0])


def plans() -> list[int]:
    """How often each prepared form of the statement was planned or run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", ["%+ 40000"]
        )
        return [row[0] for row in cursor.fetchall()]


def test_a_statement_is_prepared_once_whatever_its_parameters():
    assert [say(number) for number in (1, 2, 3)] == [40001, 40002, 40003]
    assert plans() == [3]


def test_djangos_own_cursors_prepare_nothing():
    for number in range(3):
        with connection.cursor() as cursor:
            cursor.execute(SAY, {"number": number})
    assert plans() == []


def test_it_goes_on_after_an_error_and_a_rollback():
    say(1)
    with pytest.raises(DataError), transaction.atomic(), prepared_cursor() as cursor:
        cursor.execute("SELECT 1 / %(number)s::int", {"number": 0})
    assert say(2) == 40002


def test_errors_are_those_of_django():
    RobotGroup.objects.create(name="客服")
    with pytest.raises(IntegrityError), transaction.atomic(), prepared_cursor() as cursor:
        cursor.execute(f"INSERT INTO {RobotGroup._meta.db_table} SELECT * FROM {RobotGroup._meta.db_table}")


def test_its_statements_are_captured_with_their_parameters_as_all_others():
    with CaptureQueriesContext(connection) as queries:
        say(7)
    assert [query["sql"] for query in queries] == ["SELECT 7::int + 40000"]
