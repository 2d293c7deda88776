from __future__ import annotations

import pytest

from tests.wire import running_wire_server


@pytest.fixture
def wire():
    with running_wire_server() as server:
        yield server
