"""Whether anything is missing: the event store, the outbox, the topics and the read models held against each other."""
