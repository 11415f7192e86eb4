"""Conflicts: where a shop's value and ours moved apart, and how each ended."""
