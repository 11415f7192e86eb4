"""A cluster is brought in line with the table of topics, and what differs is told with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from domain.values import category_of
from infrastructure.kafka.client import KafkaSettings, KafkaUnavailable
from infrastructure.kafka.topics import (
    BY_CATEGORY,
    PARTITIONS,
    PRODUCT,
    PRODUCT_STATE,
    STOCK,
    TABLE,
    Condition,
    TopicRefused,
    create_or_check,
)
from infrastructure.local_stack.stack import LocalStack, Part
from tests.plugins.local_stack import JARS


@pytest.fixture
def empty_kafka(stack_folder: Path) -> KafkaSettings:
    """A cluster of the test's own, without topics."""
    stack = LocalStack(stack_folder, durable=False, jars=JARS)
    return KafkaSettings(bootstrap=stack.up([Part.KAFKA]).kafka_bootstrap)


async def test_missing_topics_are_created_as_declared(empty_kafka: KafkaSettings) -> None:
    created = await create_or_check(empty_kafka)
    assert [one.topic for one in created] == [topic.name for topic in TABLE]
    assert {(one.condition, one.partitions, one.remarks) for one in created} == {(Condition.CREATED, PARTITIONS, ())}
    again = await create_or_check(empty_kafka)
    assert {(one.condition, one.partitions, one.remarks) for one in again} == {(Condition.AS_DECLARED, PARTITIONS, ())}


async def test_topics_that_differ_are_left_as_they_are_and_told_with_the_remedy(empty_kafka: KafkaSettings) -> None:
    declared = {topic.name: topic.config for topic in TABLE}
    state = declared[PRODUCT_STATE] | {"cleanup.policy": "delete"}
    admin = AIOKafkaAdminClient(**empty_kafka.client_options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(PRODUCT, 3, 1, topic_configs=declared[PRODUCT])])
        await admin.create_topics([NewTopic(PRODUCT_STATE, PARTITIONS, 1, topic_configs=state)])
    finally:
        await admin.close()
    for _ in range(2):
        checked = {one.topic: one for one in await create_or_check(empty_kafka)}
        assert (checked[PRODUCT].condition, checked[PRODUCT].partitions) == (Condition.DIFFERS, 3)
        (remark,) = checked[PRODUCT].remarks
        assert "3 partitions instead of 12" in remark
        (remark,) = checked[PRODUCT_STATE].remarks
        assert "cleanup.policy is 'delete' instead of 'compact'" in remark
        assert f"kafka-configs --alter --topic {PRODUCT_STATE} --add-config cleanup.policy=compact" in remark
    assert checked[STOCK].condition is Condition.AS_DECLARED


async def test_a_topic_that_kafka_will_not_make_is_named_with_its_reason(empty_kafka: KafkaSettings) -> None:
    with pytest.raises(TopicRefused, match=r"syncstore\.product: InvalidReplicationFactor.*replication factor"):
        await create_or_check(empty_kafka, replication_factor=3)


async def test_a_kafka_that_is_not_there_is_named() -> None:
    with pytest.raises(KafkaUnavailable, match=r"127\.0\.0\.1:1 "):
        await create_or_check(KafkaSettings(bootstrap="127.0.0.1:1"))


def test_every_kind_of_stream_has_its_topic() -> None:
    assert BY_CATEGORY.keys() == {category_of(f"{kind}-1") for kind in ("product", "stock", "listing", "connection")}


def test_only_the_state_topic_forgets_and_nothing_else_ever_does() -> None:
    assert [topic.name for topic in TABLE if topic.compacted] == [PRODUCT_STATE]
    assert all(topic.config["retention.ms"] == "-1" for topic in TABLE if not topic.compacted)
