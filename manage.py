#!/usr/bin/env python
"""Runs a Django command; without DATABASE_URL and REDIS_URL on the embedded servers of DATA_DIR."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from django.core.management import execute_from_command_line

from worktool_ai.supervisor.environment import attached


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
    with attached():
        # Celery's current app: commands ring doorbells. After attached(), which sets what the settings read.
        import_module("worktool_ai.celery")
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
