"""Other libraries that do the same work, behind the same few calls."""
