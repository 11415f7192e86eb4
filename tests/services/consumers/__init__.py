"""Consumers over a real database and a shop in memory."""
