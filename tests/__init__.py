"""Tests, laid out like the packages they test. This file must exist, or `tests/domain` would shadow `domain`."""
