from __future__ import annotations

import pytest

from alerts import caches
from robots import caches as robot_caches


@pytest.fixture(autouse=True)
def _fresh_caches():
    """Rows of another test are gone with its transaction."""
    caches.clear()
    robot_caches.forget()
