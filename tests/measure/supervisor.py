"""The product's supervisor with a PostgreSQL log that names the process behind each statement.

``python -m tests.measure.supervisor run|clean-data``, as ``worktool_ai.supervisor``.
"""

from __future__ import annotations

import sys

from worktool_ai.supervisor import postgres
from worktool_ai.supervisor.__main__ import main

#: Application and backend; tests/measure/statements.py reads it.
postgres.TUNING["log_line_prefix"] = "%a|%p|"
del postgres.TUNING["log_min_duration_statement"]  # what the command line sets cannot be changed while it runs

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
