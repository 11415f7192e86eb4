"""Fixtures that start the real servers tests run against."""
