"""The wired parts of a running SyncStore, which entry points take. Built in `services.bootstrap` alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from domain.ports import Clock, EventStore, Identities
from infrastructure.answers.answers import Answers
from infrastructure.jobs.jobs import Jobs
from infrastructure.postgres.pool import Pool
from infrastructure.security.api_keys import KeyRing
from services.health import Finding
from services.notifications import Notifications
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from services.usecases.stock import Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    clock: Clock
    identities: Identities
    store: EventStore
    pool: Pool
    """Works as `syncstore_app`."""
    key_ring: KeyRing
    products: Products
    stock: Stock
    listings: Listings
    connections: Connections
    jobs: Jobs
    answers: Answers
    notifications: Notifications | None = None
    """What shops send by themselves; None where none is taken."""
    metrics: CollectorRegistry
    """Everything this process measures; GET /metrics shows it."""
    checks: Mapping[str, Callable[[], Awaitable[Finding]]] = field(default_factory=dict)
    """What /health/ready asks, by name; see `services.health`."""
