"""What a connection that breaks raises."""

from __future__ import annotations

from typing import Final

import httpx

BROKEN: Final = (httpx.TransportError, httpx.DecodingError, AttributeError)
"""AttributeError is anyio's for a connection that ended as soon as it was made, whose socket it asks."""


def named(reason: Exception) -> str:
    """For people who read why a call failed."""
    return "ConnectionEnded" if isinstance(reason, AttributeError) else type(reason).__name__
