"""A connection: one shop on one platform, and how it is priced."""
