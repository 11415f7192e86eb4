"""What is true: aggregates, events and policies, without input or output."""
