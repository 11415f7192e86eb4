"""All parts as supervised processes in one terminal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence

from infrastructure.kafka import topics
from infrastructure.local_stack.ports import choose_free
from infrastructure.postgres.migrate import migrate
from infrastructure.settings import Settings
from services.listening import listen
from services.servers import environment_of, kafka_of
from services.supervisor import Part, Supervisor

WORKERS = ("relay", "project", "react", "push")

NICENESS = dict.fromkeys(WORKERS, 10)
"""On a machine with few processors people are answered first; what follows from their commands catches up."""


def parts(metrics_ports: Mapping[str, int]) -> Sequence[Part]:
    """The API and the workers; each worker serves its metrics on a port of its own."""
    return [
        Part("api", ("api",)),
        *(
            Part(name, (name,), {"SYNCSTORE_METRICS_PORT": str(metrics_ports[name])}, NICENESS.get(name, 0))
            for name in WORKERS
        ),
    ]


def free_ports() -> dict[str, int]:
    """One for each worker's metrics."""
    chosen: dict[str, int] = {}
    for name in WORKERS:
        chosen[name] = choose_free(excluding=frozenset(chosen.values()))
    return chosen


async def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Schema and topics as this version needs them.

    Raises MigrationRefused, DatabaseUnavailable, KafkaUnavailable.
    """
    assert settings.database_url is not None
    applied = await migrate(settings.database_url)
    say(f"schema: {len(applied)} migrations applied" if applied else "schema: up to date")
    reports = await topics.create_or_check(kafka_of(settings))
    created = [report.topic for report in reports if report.condition is topics.Condition.CREATED]
    say(f"topics: {len(created)} created" if created else f"topics: {len(reports)} as declared")
    for report in reports:
        for remark in report.remarks:
            say(f"topics: {report.topic} {remark}")


async def run_together(settings: Settings, say: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. Raises PortTaken, and what `prepare` raises."""
    listen(settings.api_host, settings.api_port, remedy="choose another with SYNCSTORE_API_PORT").close()
    await prepare(settings, say)
    ports = free_ports()
    for name, port in ports.items():
        say(f"metrics of {name}: http://127.0.0.1:{port}/metrics")
    say(f"API: http://{settings.api_host}:{settings.api_port}/docs")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    environment = environment_of(settings)
    supervisor = Supervisor(parts(ports), environment, lambda part, line: say(f"{part:<8}| {line}"))
    await supervisor.run(stop)
