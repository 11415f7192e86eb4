"""Every fault, in the order in which they strike: what is quick and telling first."""

from __future__ import annotations

from typing import Final

from tests.proof.faults.fault import Fault
from tests.proof.faults.machine import ClockJump, DiskFull
from tests.proof.faults.ownership import FreezeProjector, FreezePusher, Rebalance, ThirdRelay, Zombie
from tests.proof.faults.processes import (
    KillAllRelays,
    KillApi,
    KillProjector,
    KillPusher,
    KillReactor,
    KillRelay,
    KillRelayAgainAndAgain,
    RollingRestart,
)
from tests.proof.faults.questions import Ask
from tests.proof.faults.records import PoisonForProjector, PoisonForRelay, TopicDeleted
from tests.proof.faults.restore import DumpAndRestore
from tests.proof.faults.servers import (
    CrashBackend,
    FreezeBroker,
    HeldTransaction,
    KillBroker,
    KillPostgres,
    RestartBroker,
    RestartPostgres,
    TerminateBackends,
)
from tests.proof.faults.views import KilledRebuild, Rebuild

ALL: Final[tuple[type[Fault], ...]] = (
    KillRelay,
    KillProjector,
    KillApi,
    KillPusher,
    KillReactor,
    TerminateBackends,
    Zombie,
    KillBroker,
    KillPostgres,
    KillAllRelays,
    CrashBackend,
    RestartBroker,
    RestartPostgres,
    FreezeBroker,
    FreezeProjector,
    FreezePusher,
    ThirdRelay,
    Rebalance,
    KillRelayAgainAndAgain,
    RollingRestart,
    PoisonForProjector,
    PoisonForRelay,
    TopicDeleted,
    ClockJump,
    DiskFull,
    DumpAndRestore,
    Ask,
    Rebuild,
    KilledRebuild,
    HeldTransaction,
)
