"""Keys, tokens and what seals them."""
