"""The topics: the one table, and bringing a cluster in line with it.

The first three are keyed by product and have as many partitions, so that all that concerns one product is in order
within each and in the same partition of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from msgspec import Struct

from domain.errors import SyncStoreError
from infrastructure.kafka.client import KafkaSettings, reaching

PRODUCT: Final = "syncstore.product"
STOCK: Final = "syncstore.stock"
LISTING: Final = "syncstore.listing"
CONNECTION: Final = "syncstore.connection"
PRODUCT_STATE: Final = "syncstore.product-state"

PARTITIONS: Final = 12

SETTLE_SECONDS: Final = 15.0


class TopicRefused(SyncStoreError):
    """Kafka answers, and does not make the topic: too many replicas for its brokers, no right to, ..."""


class Topic(Struct, frozen=True, kw_only=True):
    name: str
    category: str | None
    """The stream category whose events it carries; None for the state topic."""
    key: str
    holds: str
    compacted: bool = False

    @property
    def config(self) -> dict[str, str]:
        """What must hold of the topic's own settings. Events are kept for ever: a consumer may start at offset 0.

        Records get the broker's time: it refuses those that a clock more than an hour ahead of its own has dated.
        """
        time = {"message.timestamp.type": "LogAppendTime"}
        if self.compacted:
            return {"cleanup.policy": "compact", **time}
        return {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", **time}


TABLE: Final = (
    Topic(name=PRODUCT, category="product", key="product id", holds="what happened to products"),
    Topic(name=STOCK, category="stock", key="product id", holds="movements of stock"),
    Topic(name=LISTING, category="listing", key="product id", holds="what shops shall show and do show"),
    Topic(name=CONNECTION, category="connection", key="connection id", holds="shops, pricing rules, conflict policies"),
    Topic(name=PRODUCT_STATE, category=None, key="product id", holds="each product as it is now", compacted=True),
)

TOPICS: Final = tuple(topic.name for topic in TABLE if topic.category is not None)
"""Those that carry events."""

BY_CATEGORY: Final[Mapping[str, str]] = {topic.category: topic.name for topic in TABLE if topic.category is not None}


class Condition(StrEnum):
    CREATED = "created"
    AS_DECLARED = "as declared"
    DIFFERS = "differs"


class TopicReport(Struct, frozen=True, kw_only=True):
    topic: str
    condition: Condition
    partitions: int
    remarks: tuple[str, ...] = ()
    """What differs and what to do about it."""


async def create_or_check(
    kafka: KafkaSettings, *, partitions: int = PARTITIONS, replication_factor: int = 1
) -> list[TopicReport]:
    """Create what is missing and say how the rest differs from the table. Nothing that exists is changed.

    Raises KafkaUnavailable, TopicRefused.
    """
    with reaching(kafka):
        admin = AIOKafkaAdminClient(**kafka.client_options())
        await admin.start()
        try:
            created = await _create_missing(admin, partitions, replication_factor)
            async with asyncio.timeout(SETTLE_SECONDS):
                counts = await _partitions(admin)
            configs = await _configs(admin)
            return [_report(topic, counts[topic.name], configs[topic.name], partitions, created) for topic in TABLE]
        finally:
            await admin.close()


async def _create_missing(admin: Any, partitions: int, replication_factor: int) -> set[str]:
    existing = set(await admin.list_topics())
    missing = [topic for topic in TABLE if topic.name not in existing]
    if not missing:
        return set()
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=partitions,
                replication_factor=replication_factor,
                topic_configs=topic.config,
            )
            for topic in missing
        ]
    )
    created = set()
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicRefused(f"Kafka does not make the topic {name}: {error.__name__}: {' '.join(map(str, message))}")
        if not code:
            created.add(name)
    return created


async def _partitions(admin: Any) -> dict[str, int]:
    """How many each topic has, when every one has a leader: a broker learns of a new topic after it was made."""
    while True:
        described = await admin.describe_topics([topic.name for topic in TABLE])
        counts = {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
        if counts.keys() >= {topic.name for topic in TABLE} and all(counts.values()):
            return counts
        await asyncio.sleep(0.05)


async def _configs(admin: Any) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in TABLE]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for _, _, _, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _report(topic: Topic, found: int, config: Mapping[str, str], partitions: int, created: set[str]) -> TopicReport:
    remarks = []
    if found != partitions:
        remarks.append(
            f"has {found} partitions instead of {partitions}: keys would move, so make a new installation "
            "or run with the number it has"
        )
    remarks += [
        f"{name} is {config.get(name)!r} instead of {wanted!r}: "
        f"kafka-configs --alter --topic {topic.name} --add-config {name}={wanted}"
        for name, wanted in topic.config.items()
        if config.get(name) != wanted
    ]
    condition = Condition.DIFFERS if remarks else Condition.AS_DECLARED
    if topic.name in created:
        condition = Condition.CREATED
    return TopicReport(topic=topic.name, condition=condition, partitions=found, remarks=tuple(remarks))
