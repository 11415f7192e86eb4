"""The embedded default: a real PostgreSQL and a real Apache Kafka on this machine, all data in one folder."""
