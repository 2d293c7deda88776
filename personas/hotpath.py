"""Writes of the engine's hot path, through the caller's own cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from personas.types import AICallRecord
from worktool_ai.lib import bulk
from worktool_ai.lib.bulk import Part

__all__ = ["ai_calls_part", "insert_ai_calls"]

# A model or persona that was deleted while it was being asked leaves a call without it, not a lost group.
_AI_CALLS = """
ai_calls AS (
    INSERT INTO personas_aicall (
        id, task, provider, model_name, attempt, succeeded, duration_ms, created_at, error_kind, error, request,
        response, prompt_tokens, completion_tokens, cost, estimate, robot_id, room_id, conversation_id, message_id,
        run_id, node_id, is_test, model_id, persona_id, prompt_version_id
    )
    SELECT
        r.id, r.task, r.provider, r.model_name, r.attempt, r.succeeded, r.duration_ms, r.created_at, r.error_kind,
        r.error, r.request, r.response, r.prompt_tokens, r.completion_tokens, r.cost, r.estimate, r.robot_id, r.room_id,
        r.conversation_id, r.message_id, r.run_id, r.node_id, r.is_test,
        m.id, p.id, v.id
    FROM jsonb_to_recordset(%(ai_calls)s::jsonb) AS r (
        id uuid, task text, provider text, model_name text, attempt smallint, succeeded boolean,
        duration_ms integer, created_at timestamptz, error_kind text, error text, request jsonb, response jsonb,
        prompt_tokens integer, completion_tokens integer, cost numeric, estimate numeric, robot_id uuid, room_id uuid,
        conversation_id uuid, message_id uuid, run_id uuid, node_id text, is_test boolean, model_id uuid,
        persona_id uuid, prompt_version_id uuid
    )
    LEFT JOIN personas_aimodel m ON m.id = r.model_id
    LEFT JOIN personas_persona p ON p.id = r.persona_id
    LEFT JOIN personas_promptversion v ON v.id = r.prompt_version_id
    ON CONFLICT (id) DO NOTHING
)
"""


def ai_calls_part(records: Sequence[AICallRecord]) -> Part:
    """Return what writes calls. A repeated id is ignored, so a replayed outcome adds no row."""
    return Part("ai_calls", _AI_CALLS, list(records))


def insert_ai_calls(cursor: Any, records: Sequence[AICallRecord]) -> None:
    """Write calls in the caller's transaction (:func:`ai_calls_part`)."""
    bulk.execute(cursor, [ai_calls_part(records)])
