"""What the AsyncAPI document promises of records is what they look like in Kafka."""

from tests.relay.world import World, until
from tests.support.traffic import violations


async def test_a_record_has_the_headers_and_the_data_that_the_documents_describe(world: World) -> None:
    await world.store("key", 1)
    async with world.relaying():
        await until(world.is_empty)
    (record,) = await world.records()
    assert violations(record.topic, record.key, record.value, record.headers) == []
