"""Whether stored facts agree with each other: checks that find nothing in a sound installation.

Each check is one SQL query that gives the ids of the rows that contradict it (:mod:`~monitoring.consistency.checks`);
:func:`examine` runs them, ``manage.py check_consistency`` prints them, :mod:`~monitoring.consistency.nightly` raises an
alert. Nothing is ever repaired here: a contradiction is a finding about the program.
"""

from __future__ import annotations

from monitoring.consistency.examining import Finding, Span, examine, summary

__all__ = ["Finding", "Span", "examine", "summary"]
