"""Listing status: what each shop should show, shows and has confirmed, and what keeps them apart."""
