"""The API document describes answers as they are: in their envelope."""

from __future__ import annotations

from worktool_ai.lib.openapi import wrap_in_envelope


def test_successes_are_wrapped_errors_described_and_files_left_alone():
    json_body = {"content": {"application/json": {"schema": {"type": "string"}}}}
    file_body = {"content": {"text/csv": {"schema": {"type": "string"}}}}
    document = {"paths": {"/api/v1/x": {"get": {"responses": {"200": json_body, "201": file_body, "204": {}}}}}}
    responses = wrap_in_envelope(document, None, None, True)["paths"]["/api/v1/x"]["get"]["responses"]
    wrapped = responses["200"]["content"]["application/json"]["schema"]
    assert wrapped["required"] == ["code", "message", "data", "requestId"]
    assert wrapped["properties"]["data"] == {"type": "string"}
    assert responses["201"] == {"content": {"text/csv": {"schema": {"type": "string"}}}}
    reference = responses["default"]["content"]["application/json"]["schema"]["$ref"]
    assert reference == "#/components/schemas/Error"
    assert "Error" in document["components"]["schemas"]
