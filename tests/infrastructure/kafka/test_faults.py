"""Which errors are waited for, and which make a consumer set a record aside."""

from __future__ import annotations

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError
from psycopg_pool import PoolTimeout

from domain.errors import Refusal
from infrastructure.kafka.client import KafkaUnavailable
from infrastructure.kafka.faults import HEAVY_ATTEMPTS, passes_by_itself
from infrastructure.postgres.errors import DatabaseUnavailable
from projections.checkpoints import ViewNotBuilt
from services.usecases.outcome import TooBusy


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the server closed the connection"),
        psycopg.InterfaceError("the connection is closed"),
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.InsufficientPrivilege(),
        psycopg.errors.IdleInTransactionSessionTimeout(),
        PoolTimeout(),
        DatabaseUnavailable("PostgreSQL does not answer"),
        KafkaUnavailable("no broker answers"),
        KafkaConnectionError(),
        ConnectionAbortedError("the event store is closing"),
        TimeoutError(),
        ViewNotBuilt("view catalogue has not been built"),
        TooBusy("listing-SHP.p1 moved 6 times while this was decided"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_record_is_to_blame_for_is_waited_for_however_long_it_takes(error: Exception) -> None:
    assert passes_by_itself(error, 1_000)


@pytest.mark.parametrize(
    "error",
    [psycopg.errors.QueryCanceled(), psycopg.errors.ProgramLimitExceeded(), psycopg.InternalError("out of sorts")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_record_may_be_to_blame_for_is_tried_a_few_times(error: Exception) -> None:
    assert passes_by_itself(error, HEAVY_ATTEMPTS - 1)
    assert not passes_by_itself(error, HEAVY_ATTEMPTS)


@pytest.mark.parametrize(
    "error",
    [ValueError("of no use"), Refusal("not as asked"), psycopg.DataError("a NUL"), psycopg.IntegrityError("twice")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_record_is_to_blame_for_is_not_tried_again(error: Exception) -> None:
    assert not passes_by_itself(error, 1)
