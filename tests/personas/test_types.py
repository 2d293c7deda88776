from __future__ import annotations

import json

import pytest

from personas.types import (
    AICallRecord,
    AIContext,
    ChatMessage,
    GenerateOptions,
    GenerateReplyResult,
    IntentRecognitionResult,
)
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

VALUES = [
    AIContext(history=(ChatMessage("user", "你好"),), deadline_s=3),
    IntentRecognitionResult("service", "支付问题", 0.9, "退款"),
    GenerateOptions(values={"userName": "张三"}, kind="ask_back"),
    GenerateReplyResult(text="好", kind="answer", source="template", provider="local", template="x"),
    AICallRecord(
        id=uuid7(),
        task="reply",
        provider="local",
        model_id=None,
        model_name="",
        persona_id=uuid7(),
        attempt=1,
        succeeded=True,
        duration_ms=1,
        created_at=now(),
        request={"text": "x"},
    ),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_survive_json(value):
    assert type(value).from_json(json.loads(json.dumps(value.to_json()))) == value
