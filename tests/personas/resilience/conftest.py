from __future__ import annotations

import pytest

from personas.resilience.gates import Gates, gates


@pytest.fixture
def store_away(settings) -> None:
    """Nobody listens where Redis was."""
    settings.REDIS_BROKER_URL = "redis://127.0.0.1:9/0"
    gates.forget()


@pytest.fixture
def fresh() -> Gates:
    """What another process would have: nothing known yet."""
    return Gates()
