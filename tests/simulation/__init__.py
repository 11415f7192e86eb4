"""The real relay, consumers, rebuild and pusher on a seeded scheduler, a twin database and a twin Kafka."""
