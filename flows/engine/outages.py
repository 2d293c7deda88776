"""Telling infrastructure that is away from data or a run that is bad. The first counts nothing against them."""

from __future__ import annotations

import psycopg
import redis
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg import errors

__all__ = ["is_outage"]

#: Of psycopg's OperationalErrors those that say something about the data; all others are the infrastructure's.
_ABOUT_DATA = (errors.ProgramLimitExceeded, errors.StatementTooComplex)
#: The schema is not there (yet): the same as a database that is not there.
_ABOUT_SCHEMA = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)


def is_outage(error: BaseException) -> bool:
    """Tell whether trying again later can help without anybody changing the data or the flow."""
    if isinstance(error, OperationalError):
        return not isinstance(error.__cause__, _ABOUT_DATA)
    if isinstance(error, ProgrammingError):
        return isinstance(error.__cause__, _ABOUT_SCHEMA)
    return isinstance(error, InterfaceError | redis.RedisError | psycopg.OperationalError | OSError)
