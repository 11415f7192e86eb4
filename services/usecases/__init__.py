"""What callers can ask for: load, decide, append, once."""
