"""The short form of `make prove`: real processes, a few hundred commands, three kills."""

from __future__ import annotations

import asyncio

import pytest

from tests.proof.campaign import prove
from tests.proof.faults.processes import KillProjector, KillRelay
from tests.proof.faults.servers import TerminateBackends
from tests.proof.journal import Acknowledged, Held, judge
from tests.proof.system import running


@pytest.mark.timeout(240)
async def test_nothing_is_lost_reordered_or_done_twice_while_parts_are_killed() -> None:
    async with asyncio.timeout(220), running(lambda _: None) as system:
        proof = await prove(
            system,
            [KillProjector(), TerminateBackends(), KillRelay()],
            print,
            products=12,
            events=0,
            pace=0.05,
            seed=20261121,
        )
    assert proof.wrong == []
    assert proof.acknowledged > 500
    assert proof.counts["transactions rolled back"] > 0
    assert proof.counts["repeated under the same key"] > 0
    assert proof.counts["bulk appends"] > 0


PROMISE = Acknowledged("k1", 7, 3, "199000")


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        (Held(3, "199000", 1), []),
        (Held(None, None, None), ["acknowledged and lost"]),
        (Held(4, "199000", 1), ["acknowledged otherwise"]),
        (Held(3, "198000", 1), ["acknowledged otherwise"]),
        (Held(3, "199000", 2), ["done 2 times"]),
    ],
)
def test_each_broken_promise_is_told(held: Held, verdict: list[str]) -> None:
    assert [line.partition(":")[0] for line in judge([(PROMISE, held)])] == verdict
