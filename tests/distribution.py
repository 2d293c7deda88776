"""Gives each test process of ``pytest -n`` what belongs together: a folder whose tests share something costly.

A scheduler of our own because marks cannot do it: xdist 3.8's ``--dist loadgroup`` writes into a test's id what
pytest 9 does not read from there.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: The running product of ``tests/e2e`` is started once, not once per process.
TOGETHER = ("tests/e2e/",)


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out tests one by one, and those of a folder of :data:`TOGETHER` (the largest first) at once."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    return FolderScheduling(config, log)
