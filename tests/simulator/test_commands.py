"""The management commands only pass their options on."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


def test_the_simulator_refuses_without_a_token() -> None:
    with pytest.raises(CommandError, match="token"):
        call_command("worktool_simulator", port=0, token="")


@pytest.mark.parametrize("name", ["worktool_simulator", "model_stub"])
def test_stand_ins_refuse_production(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SIMULATOR_TOKEN", "secret")
    with pytest.raises(CommandError, match="production"):
        call_command(name, port=0)
