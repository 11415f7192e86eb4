"""Decisions that are functions of values alone, each with its reason."""
