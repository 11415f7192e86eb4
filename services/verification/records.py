"""Records of the topics as a verification needs them: read straight from the headers, for there are millions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from infrastructure.kafka.cloudevents import REPLAY
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.records import Record
from infrastructure.kafka.replay import Replay
from services.verification.history import Bounds, History, Seen, digest_of


def seen_of(record: Record) -> Seen | str:
    """What the record says; text says why it is not an event's."""
    told = {name: content for name, content in record.headers if content is not None}
    key = record.key or b""
    try:
        org, stream, sequence = told["ce_org"], told["ce_subject"], told["ce_sequence"]
        event_id = told["ce_id"]
        type_, _, schema = told["ce_dataschema"].removeprefix(b"urn:syncstore:").rpartition(b":")
        parts = (event_id, org, stream, sequence, type_, schema, key, told["ce_actor"], told["ce_correlationid"])
        return Seen(
            offset=record.offset,
            position=int(told["ce_position"]),
            stream=f"{org.decode()}/{stream.decode()}",
            version=int(sequence),
            event_id=event_id.decode(),
            key=key,
            digest=digest_of(b"|".join(parts), record.value or b""),
            replayed=REPLAY[0] in told,
        )
    except (KeyError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


async def bounds_of(replay: Replay, shown: Mapping[Partition, int]) -> list[list[Bounds]]:
    """What there is to read now, partition by partition: those of one number together, for a product lives in them.

    Raises TopicMissing.
    """
    begins, ends = await replay.begins(), await replay.ends()
    by_number: dict[int, list[Bounds]] = {}
    for partition, end in sorted(ends.items()):
        count = sum(other.topic == partition.topic for other in ends)
        bounds = Bounds(
            partition.topic, partition.partition, count, begins[partition], end, shown.get(Partition(*partition), 0)
        )
        by_number.setdefault(partition.partition, []).append(bounds)
    return [found for _, found in sorted(by_number.items())]


async def read_into(history: History, replay: Replay, together: list[Bounds]) -> AsyncIterator[int]:
    """All records within the bounds; pauses after each batch to tell how many it held.

    Raises RecordsExpired when retention is faster.
    """
    readers = {(bounds.topic, bounds.number): history.partition(bounds) for bounds in together}
    starts = {Partition(bounds.topic, bounds.number): bounds.begin for bounds in together}
    ends = {Partition(bounds.topic, bounds.number): bounds.end for bounds in together}
    async for batch in replay.records(starts, ends):
        for record in batch:
            seen = seen_of(record)
            if isinstance(seen, str):
                history.unreadable(record.topic, record.partition, record.offset, seen)
            else:
                readers[record.topic, record.partition].take(seen, record.timestamp)
        yield len(batch)
