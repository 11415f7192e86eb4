"""Running one part as a process of its own: settings, servers, logs, metrics, and a clean stop on a signal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
import psycopg
import structlog
import uvloop
from prometheus_client import start_http_server

from domain.errors import Refusal, SyncStoreError
from infrastructure.local_stack.errors import LocalStackError
from infrastructure.observability.logs import configure_logs
from infrastructure.postgres.errors import translated
from infrastructure.postgres.reach import check_database
from infrastructure.settings import Settings, read_settings
from services.cli.single import only_one
from services.servers import servers_for, with_servers
from services.supervised import end_with_supervisor

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Part = Callable[[Settings, asyncio.Event], Awaitable[None]]

_OTHER_SCHEMA: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)


@contextmanager
def told() -> Iterator[None]:
    """What whoever gave the command can mend ends the process with a line about it, and no traceback."""
    try:
        with translated():
            yield
    except Refusal as refusal:
        raise click.ClickException(f"{refusal}. {refusal.remedy}".rstrip()) from refusal
    except (SyncStoreError, LocalStackError) as error:
        raise click.ClickException(str(error)) from error
    except _OTHER_SCHEMA as error:
        raise click.ClickException(
            f"the database has another schema than this version needs ({error.diag.message_primary}); "
            "run: syncstore migrate"
        ) from error
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
        raise click.ClickException(f"PostgreSQL refuses: {error.diag.message_primary or error}") from error
    except OSError as error:
        if error.filename is None:  # not about a file: a mistake of ours
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def configured() -> Settings:
    """Settings, or the end of the process with a message."""
    with told():
        return read_settings()


def ready(report: Callable[[str], None] = lambda line: click.echo(line, err=True)) -> Settings:
    """Settings with servers that answer, or the end of the process with a message."""
    with told():
        return with_servers(read_settings(), report)


def ready_database() -> Settings:
    """As `ready`, with a database that was migrated."""
    settings = ready()
    assert settings.database_url is not None
    ask(check_database(settings.database_url))
    return settings


@contextmanager
def started(what: str) -> Iterator[Settings]:
    """As `ready`, for `what` runs once in its folder; what was started for it is stopped in the end."""
    with told():
        settings = read_settings()
        with only_one(settings.folder / "run.lock", what), servers_for(settings, click.echo) as ready_settings:
            yield ready_settings


def run_part(name: str, part: Part) -> None:
    """Until SIGTERM or SIGINT; the exit code tells a supervisor whether it went well."""
    settings = ready()
    configure_logs(level=settings.log_level, form=settings.log_format, part=name)
    if settings.supervised:
        end_with_supervisor()
    if settings.metrics_port:
        try:
            start_http_server(settings.metrics_port, addr="127.0.0.1")
        except OSError as error:
            raise click.ClickException(
                f"metrics cannot be served on port {settings.metrics_port}: {error.strerror}; "
                "choose another with SYNCSTORE_METRICS_PORT"
            ) from error
    uvloop.run(_until_signalled(part, settings))


async def _until_signalled(part: Part, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("part_started")
    try:
        with translated():
            await part(settings, stop)
    except SyncStoreError as error:
        log.error("part_failed", reason=str(error), kind=type(error).__name__)  # noqa: TRY400  # the reason says it all
        sys.exit(1)
    log.info("part_stopped")


def ask(question: Awaitable[Any]) -> Any:
    """The answer of an operation, or the end of the process with its message."""

    async def asked() -> Any:
        return await question

    with told():
        return uvloop.run(asked())
