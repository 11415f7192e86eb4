"""Which errors pass by themselves, and which are of a record."""

from __future__ import annotations

import psycopg
from aiokafka.errors import KafkaError
from psycopg_pool import PoolClosed, PoolTimeout

from domain.errors import Transient

_WEATHER = (
    Transient,
    psycopg.OperationalError,  # connection lost, server going down, deadlock, serialization, lock or disk trouble
    psycopg.InterfaceError,  # the connection broke under a statement
    psycopg.ProgrammingError,  # a table or right is missing: of the deployment, never of a record
    PoolTimeout,
    PoolClosed,
    KafkaError,
    OSError,  # with TimeoutError among its kinds
)

_HEAVY = (psycopg.errors.QueryCanceled, psycopg.errors.ProgramLimitExceeded, psycopg.InternalError)
"""Raised by a server in trouble as well as by a record that asks too much of it."""

HEAVY_ATTEMPTS = 5


def passes_by_itself(error: BaseException, attempt: int) -> bool:
    """Whether trying the same records again makes sense, `attempt` tries having failed."""
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return True  # an internal error by its class: the process was frozen, or its batch took long
    if isinstance(error, _HEAVY):
        return attempt < HEAVY_ATTEMPTS
    return isinstance(error, _WEATHER)
