from __future__ import annotations

import pytest

from personas import caches
from templates_lib import caches as template_caches


@pytest.fixture(autouse=True)
def _fresh_caches():
    """Rows of another test are gone with its transaction."""
    caches.clear()
    template_caches.clear()
