"""The report says whether it is a proof, what struck, and what is wrong."""

from __future__ import annotations

from services.verification.findings import Check, Kind, Report, Violation
from tests.proof.campaign import Proof, Struck
from tests.proof.markdown import markdown


def proof(*wrong: str) -> Proof:
    check = Check(name="topics", compared="events against outbox and topics", count=1_000_000)
    if wrong:
        check.add(Violation(kind=Kind.LOST, stream="toko/product-1", version=2, event_id="e2"))
    struck = Struck(
        fault="kill -9 of a relay",
        measured="started again after 0.8 s",
        recovered_seconds=6.4,
        interruptions=0,
        repeated=49,
        allowed=8_000,
        acknowledged=500,
    )
    return Proof(
        seed=7,
        products=40,
        writers=16,
        struck=[struck],
        events=1_000_000,
        acknowledged=900_000,
        counts={"bulk appends": 190},
        report=Report(cut=1_000_000, taken_at="2026-03-01T10:00:00Z", seconds=31.0, checks=(check,)),
        wrong=list(wrong),
    )


def test_a_proof_tells_what_was_endured() -> None:
    text = markdown(proof())
    assert "**Nothing is wrong.** 1,000,000 events" in text
    assert "| kill -9 of a relay | started again after 0.8 s | 500 | 6.4 s | 49 | 8,000 |" in text
    assert "| topics | events against outbox and topics | 1,000,000 | nothing |" in text
    assert "All 900,000 acknowledged commands are there, once" in text


def test_what_is_wrong_stands_first_and_is_named() -> None:
    text = markdown(proof("acknowledged and lost: k1"))
    assert "**Not proven: 1 things are wrong.**" in text
    assert "- acknowledged and lost: k1" in text
    assert "1 lost" in text
    assert "All 900,000" not in text
