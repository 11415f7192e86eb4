"""Kafka: topics, records, clients and consumers."""
