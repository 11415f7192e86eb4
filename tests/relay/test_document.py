"""What the AsyncAPI document promises of records is what they look like in Kafka."""

import jsonschema_rs
import msgspec

from services.api.event_documents import asyncapi, schemas
from tests.relay.world import World, until


async def test_a_record_has_the_headers_and_the_data_that_the_documents_describe(world: World) -> None:
    await world.store("key", 1)
    async with world.relaying():
        await until(world.is_empty)
    (record,) = await world.records()

    headers = {name: value.decode() for name, value in record.headers}
    message = asyncapi("1.0.0")["components"]["messages"][headers["ce_type"]]
    schema = schemas()[headers["ce_type"], int(headers["ce_dataschema"].rpartition(":")[2])]
    assert headers.keys() <= message["headers"]["properties"].keys()
    jsonschema_rs.validator_for(message["headers"], validate_formats=True).validate(headers)
    assert record.value is not None
    jsonschema_rs.validate(schema, msgspec.json.decode(record.value))
