"""No fault at all: an operator asks, and nobody may notice."""

from __future__ import annotations

from services.verification.findings import Kind
from services.verification.verify import verify
from tests.proof.faults.fault import Fault
from tests.proof.system import System
from tests.proof.traffic import Traffic


class Ask(Fault):
    name = "syncstore verify, three times while everything is at work"

    async def strike(self, system: System, traffic: Traffic) -> str:
        seconds, later = [], 0
        for _ in range(3):
            report = await verify(system.source, system.kafka)
            found = {kind for kind in report.violations if kind is not Kind.UNREADABLE}
            examples = [str(one) for check in report.checks for one in check.examples]
            assert not found, f"a false alarm: {examples}"
            seconds.append(f"{report.seconds:.1f} s")
            (events,) = await system.row("select count(*) from events where position > %s", report.cut)
            later += events
        return f"{', '.join(seconds)}; {later} events were written meanwhile, nothing was taken for missing"
