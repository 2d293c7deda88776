from __future__ import annotations

import pytest

from personas import caches
from personas.resilience.gates import gates
from templates_lib import caches as template_caches


@pytest.fixture(autouse=True)
def _fresh_caches():
    """Rows of another test are gone with its transaction, and breakers with the contents of Redis."""
    caches.clear()
    gates.forget()
    template_caches.clear()
