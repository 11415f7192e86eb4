"""The event store: facts, appended once and read in many ways."""
