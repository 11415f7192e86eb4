"""A listing: one product as one shop shows it."""
