"""The catalogue: each product as it stands now."""
