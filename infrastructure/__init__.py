"""How we touch the world: one folder per thing outside the process."""
