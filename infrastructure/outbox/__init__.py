"""The outbox: events that Kafka has not acknowledged yet."""
