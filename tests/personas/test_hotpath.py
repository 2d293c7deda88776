from __future__ import annotations

import pytest
from django.db import connection

from personas.hotpath import insert_ai_calls
from personas.models import AICall, AIModel
from personas.types import AICallRecord
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


def record(**fields):
    values = {
        "id": uuid7(),
        "task": "intent",
        "provider": "custom",
        "model_id": None,
        "model_name": "m",
        "persona_id": None,
        "attempt": 1,
        "succeeded": True,
        "duration_ms": 12,
        "created_at": now(),
    }
    return AICallRecord(**{**values, **fields})


def insert(*records):
    with connection.cursor() as cursor:
        insert_ai_calls(cursor, records)


def test_a_group_of_calls_is_written_with_all_it_knows():
    model = AIModel.objects.create(name="m", provider="custom")
    run = uuid7()

    insert(
        record(model_id=model.id, run_id=str(run), request={"text": "如何退款？"}, prompt_tokens=7),
        record(succeeded=False, error_kind="timeout"),
    )

    known = AICall.objects.get(run_id=run)
    assert (known.model, known.request, known.prompt_tokens) == (model, {"text": "如何退款？"}, 7)
    assert (known.completion_tokens, known.cost) == (None, None)
    assert AICall.objects.filter(succeeded=False, error_kind="timeout").count() == 1


def test_a_repeated_call_and_no_call_write_nothing():
    call = record()

    insert(call)
    insert(call)
    insert()

    assert AICall.objects.count() == 1


def test_a_model_that_was_deleted_meanwhile_leaves_the_call():
    insert(record(model_id=uuid7(), persona_id=uuid7()))

    assert AICall.objects.get().model is None


def test_characters_that_the_database_cannot_hold_are_left_out():
    insert(record(response={"text": "a\x00b\\u0000 \ud800"}))

    assert AICall.objects.get().response == {"text": "ab\\u0000 ?"}
