"""What the relay tells about itself."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram


class RelayMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.published = Counter("syncstore_relay_published_total", "Events acknowledged by Kafka", registry=registry)
        self.parked = Counter("syncstore_relay_parked_total", "Events set aside with their key", registry=registry)
        self.rebuilt = Counter("syncstore_relay_producers_rebuilt_total", "Producers given up", registry=registry)
        self.not_deleted = Counter(
            "syncstore_relay_not_deleted_total",
            "Events acknowledged, but no longer ours to delete: another relay sends them again",
            registry=registry,
        )
        self.shards = Gauge("syncstore_relay_shards", "Shards held by this process", registry=registry)
        self.depth = Gauge("syncstore_outbox_depth", "Events that Kafka has not acknowledged", registry=registry)
        self.age = Gauge("syncstore_outbox_oldest_age_seconds", "Age of the oldest of them", registry=registry)
        self.waiting = Gauge("syncstore_outbox_parked_rows", "Events that wait for an operator", registry=registry)
        self.pass_seconds = Histogram(
            "syncstore_relay_pass_seconds",
            "From rows read to rows acknowledged",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=registry,
        )


METRICS: Final = RelayMetrics()
