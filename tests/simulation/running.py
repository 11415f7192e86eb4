"""Schedules by name and number: run one, and say what went wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import structlog

from infrastructure.kafka.records import _SCHEMAS
from tests.simulation import consuming, pushing, rebuilding, relaying
from tests.simulation.blocking import BlockingConnection
from tests.simulation.broker import Producer
from tests.simulation.group import KafkaBroker
from tests.simulation.outbox_statements import SHARDS
from tests.simulation.replaying import Admin, Reader
from tests.simulation.world import World

SCENARIOS: Final[dict[str, Callable[[World], Coroutine[Any, Any, None]]]] = {
    "relay": relaying.schedule,
    "consumer": consuming.schedule,
    "consumer-in-lanes": consuming.in_lanes,
    "rebuild": rebuilding.schedule,
    "rebuild-in-lanes": rebuilding.in_lanes,
    "push": pushing.schedule,
}


class Failed(AssertionError):
    """A schedule that does not hold what we promise, with all that happened in it."""

    def __init__(self, scenario: str, seed: int, reason: BaseException, trace: list[str]) -> None:
        self.trace = trace
        super().__init__(
            f"scenario={scenario} seed={seed}: {type(reason).__name__}: {reason}\n"
            f"replay: python -m tests.simulation --scenario {scenario} --seed {seed}"
        )


@contextmanager
def twins() -> Iterator[None]:
    """Kafka's clients are those of whichever world is running; nothing is logged."""
    before = structlog.get_config()
    silent: Any = _Silent
    structlog.configure(wrapper_class=silent, cache_logger_on_first_use=False)
    with ExitStack() as stack:
        stack.callback(structlog.configure, **before)
        stack.enter_context(patch.dict(_SCHEMAS))
        for name, twin in _TWINS.items():
            stack.enter_context(patch(name, twin))
        yield


class _Silent:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def _nothing(self, *_: Any, **__: Any) -> None: ...

    debug = info = warning = error = exception = _nothing


_worlds: Final[list[World]] = []


def _now() -> float:
    return _worlds[-1].loop.time()


_TWINS: Final[dict[str, Any]] = {
    "relay.producer.AIOKafkaProducer": lambda **_: Producer(_worlds[-1].broker),
    "infrastructure.kafka.member.KafkaBroker": lambda *_, **__: KafkaBroker(_worlds[-1].broker),
    "infrastructure.kafka.consumer.time": SimpleNamespace(monotonic=_now),
    "infrastructure.kafka.replay.AIOKafkaConsumer": lambda **_: Reader(_worlds[-1].broker),
    "infrastructure.kafka.replay.AIOKafkaAdminClient": lambda **_: Admin(_worlds[-1].broker),
    "projections.fill.connect": lambda *_: BlockingConnection(_worlds[-1].database),
    "projections.rebuild.connect": lambda *_: BlockingConnection(_worlds[-1].database),
    "projections.fill.set_json_dumps": lambda *_: None,
    "projections.buckets.EVENTS_PER_BUCKET": 3,
    # As many as can matter to so few keys.
    "infrastructure.outbox.shards.SHARDS": SHARDS,
    "infrastructure.outbox.leases.SHARDS": SHARDS,
}


def run(scenario: str, seed: int) -> World:
    """Within `twins()`. Raises Failed."""
    world = World(f"{scenario} {seed}")
    _worlds.append(world)
    try:
        world.loop.run(SCENARIOS[scenario](world))
        world.still_well()
    except Exception as reason:
        raise Failed(scenario, seed, reason, world.database.trace) from reason
    finally:
        _worlds.pop()
    return world
