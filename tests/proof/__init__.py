"""The history checker: the whole system driven over HTTP, hurt on purpose, then asked whether anything is missing."""
