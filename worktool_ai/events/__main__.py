"""``python -m worktool_ai.events``: ``manage.py relay_events`` without Django's apps, which take 50 MB and which the
relay never asks. The settings must be in the environment.
"""

from __future__ import annotations

from worktool_ai.lib import lean_imports  # noqa: F401  # before anything imports redis

# isort: split
import os

from django.conf import settings

from worktool_ai.events.process import serve
from worktool_ai.lib import failpoints

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
    failpoints.check(settings.ENVIRONMENT)
    serve()
