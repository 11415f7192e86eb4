"""Shopee Open Platform, version 2."""
