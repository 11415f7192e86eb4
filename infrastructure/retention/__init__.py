"""What is kept for a time only."""
