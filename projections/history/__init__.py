"""History: everything that has happened to a product, its stock and its listings."""
