from __future__ import annotations

from collections.abc import Iterator

import pytest

from robots.simulator.testing import SimulatorClient, running_simulator
from tests.simulator.door import Door, open_door


@pytest.fixture
def door() -> Iterator[Door]:
    with open_door() as door:
        yield door


@pytest.fixture
def sim(door: Door) -> Iterator[SimulatorClient]:
    """A fast simulator whose robot is connected to ``door``."""
    with running_simulator() as sim:
        door.connect(sim)
        yield sim
