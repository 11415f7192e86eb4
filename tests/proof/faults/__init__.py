"""The ways in which the system is hurt: each a class with a name, what it does, and what may be repeated."""
