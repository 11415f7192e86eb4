"""The marketplaces: one connector each, behind one interface."""
