"""Laws are checked for what they say, not for how fast this machine is."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("syncstore", deadline=None)
settings.load_profile("syncstore")
