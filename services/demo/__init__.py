"""The demonstration: a seller's catalogue through the whole system, told step by step and checked."""
