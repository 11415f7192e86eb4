"""Marketplaces that run on this machine and behave like the real ones."""
