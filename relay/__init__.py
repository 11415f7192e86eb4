"""From the outbox to Kafka: moves bytes in order, decides nothing."""
