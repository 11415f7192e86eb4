"""Processes that follow the topics: reactions, pushes, the watch over shops."""
