"""What people and processes can ask: use cases, entry points and their wiring."""
