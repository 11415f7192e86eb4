"""What is written as a CloudEvent is read back as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages import RecordedEvent
from infrastructure.kafka.cloudevents import REPLAY, UnreadableRecord, headers_of, read

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))]))
COUNTS = st.integers(1, 2**31 - 1)

EVENTS = st.builds(
    RecordedEvent,
    position=st.integers(1, 2**63 - 1),
    org_id=NAMES,
    stream_id=NAMES.map("product-{}".format),
    version=COUNTS,
    partition_key=NAMES,
    event_id=st.uuids(),
    type=NAMES,
    schema=st.integers(1, 2**15 - 1),
    data=st.binary(max_size=100),
    occurred_at=TIMES,
    recorded_at=TIMES,
    actor=NAMES,
    correlation_id=st.uuids(),
    causation_id=st.none() | st.uuids(),
    batch_id=st.none() | st.uuids(),
)

RENAMED: Final = RecordedEvent(
    position=17,
    org_id="toko-batik",
    stream_id="product-1",
    version=2,
    partition_key="1",
    event_id=UUID(int=1),
    type="product.renamed",
    schema=1,
    data=b"{}",
    occurred_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
    recorded_at=datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC),
    actor="user:rina",
    correlation_id=UUID(int=2),
)

REQUIRED: Final = [
    "ce_id",
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_dataschema",
    "ce_sequence",
    "ce_position",
    "ce_org",
    "ce_recordedtime",
    "ce_actor",
    "ce_correlationid",
]


@given(EVENTS)
def test_an_event_survives_the_way_through_kafka(event: RecordedEvent) -> None:
    assert read(event.partition_key.encode(), event.data, headers_of(event)) == event


@given(EVENTS)
def test_a_replayed_event_reads_as_the_first_time(event: RecordedEvent) -> None:
    assert read(event.partition_key.encode(), event.data, [*headers_of(event), REPLAY]) == event


@given(EVENTS)
def test_headers_are_those_of_cloudevents_in_binary_mode(event: RecordedEvent) -> None:
    found = dict(headers_of(event))
    assert len(found) == len(headers_of(event))
    assert found["ce_specversion"] == b"1.0"
    assert found["content-type"] == b"application/json"
    assert found["ce_source"].decode() == f"/syncstore/{event.org_id}"
    assert found["ce_dataschema"].decode() == f"urn:syncstore:{event.type}:{event.schema}"
    assert ("ce_causationid" in found) == (event.causation_id is not None)
    assert ("ce_batchid" in found) == (event.batch_id is not None)
    # CloudEvents 1.0: attribute names are lower-case letters and digits.
    assert all(name.removeprefix("ce_").isalnum() and name.islower() for name in found if name != "content-type")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_record_without_a_header_is_unreadable_and_the_header_named(name: str) -> None:
    headers = [header for header in headers_of(RENAMED) if header[0] != name]
    with pytest.raises(UnreadableRecord, match=name):
        read(b"k", b"{}", headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce_id", b"1234"), ("ce_sequence", b"one"), ("ce_time", b"yesterday"), ("ce_org", b"\xff"), ("ce_batchid", b"x")],
)
def test_a_record_with_a_senseless_header_is_unreadable(name: str, value: bytes) -> None:
    headers = {**dict(headers_of(RENAMED)), name: value}
    with pytest.raises(UnreadableRecord, match="not a SyncStore event"):
        read(b"k", b"{}", list(headers.items()))
