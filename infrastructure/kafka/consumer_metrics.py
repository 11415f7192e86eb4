"""What can be seen of consumers from outside."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram


class ConsumerMetrics:
    """One set for all consumers of a process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        by_partition = ("consumer", "topic", "partition")
        self.lag = Gauge(
            "syncstore_consumer_lag_records",
            "Records in Kafka that the consumer has not applied",
            by_partition,
            registry=registry,
        )
        self.applied = Counter(
            "syncstore_consumer_records_total",
            "Records whose effect and offset were stored",
            ("consumer",),
            registry=registry,
        )
        self.skipped = Counter(
            "syncstore_consumer_skipped_total",
            "Records of event types this version does not know",
            ("consumer",),
            registry=registry,
        )
        self.parked = Counter("syncstore_consumer_parked_total", "Records set aside", ("consumer",), registry=registry)
        self.parked_now = Gauge(
            "syncstore_consumer_parked_keys", "Keys that wait for an operator", ("consumer",), registry=registry
        )
        self.retries = Counter(
            "syncstore_consumer_retries_total",
            "Tries that failed for a reason that passes",
            ("consumer",),
            registry=registry,
        )
        self.moved = Counter(
            "syncstore_consumer_offsets_moved_total",
            "Batches rolled back because another member had moved the offsets",
            ("consumer",),
            registry=registry,
        )
        self.lost = Counter(
            "syncstore_consumer_gaps_total",
            "Times Kafka no longer had the records at the stored offset",
            ("consumer",),
            registry=registry,
        )
        self.stalls = Counter(
            "syncstore_consumer_stalls_total",
            "Restarts of a consumer that stood still",
            ("consumer",),
            registry=registry,
        )
        self.seconds = Histogram(
            "syncstore_consumer_batch_seconds",
            "Time from a batch to its commit",
            ("consumer",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )


METRICS: Final = ConsumerMetrics()
