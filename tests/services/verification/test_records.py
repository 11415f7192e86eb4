from __future__ import annotations

from infrastructure.kafka.records import StoredRecord
from services.verification.records import seen_of


def test_a_record_of_somebody_else_is_told_from_ours_even_when_a_header_is_null() -> None:
    record = StoredRecord("syncstore.product", 0, 0, b"k", b"{}", [("ce_org", None), ("ce_id", b"\xff")])
    assert seen_of(record) == "KeyError: 'ce_org'"
