"""How a simulated Shopee is set up."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class SimulatorConfig(Struct, frozen=True, kw_only=True):
    """One app and one shop. Keys are made up; nothing here is a secret."""

    partner_id: int = 2001887
    partner_key: str = "shpk-simulated-partner-key"
    push_key: str | None = None
    """The separate push key that some consoles show; None signs pushes with the partner key."""
    shop_id: int = 14701711
    shop_name: str = "Toko Nusantara"
    callback_url: str | None = None
    """Where pushes go, as registered; None sends none and keeps none."""
    push_codes: frozenset[int] = frozenset({3, 8, 16, 22})
    push_time_scale: float = 1.0
    """Multiplies the waits of 300, 1800 and 10800 s before a push is repeated."""
    push_timeout: float = 3.0
    first_code: str = "simulated-authorisation-code"
    """Redeems the first pair of tokens; like any code it works once."""
    access_token_life: int = 14_400
    refresh_token_life: int = 2_592_000
    rate_per_second: int | None = None
    """Calls of the app in any second; None does not limit."""
    daily_quota: int | None = None
    throttle_status: int = 200
    """HTTP status of a throttled call; with 429 comes a Retry-After of 1."""
    new_item_delay: float = 0.0
    """Seconds for which `init_tier_variation` does not know a new item; the real shop takes up to 5."""
    tax_percent: int = 11
    snapshot: Path | None = None
    """A file from which the shop's state is read at start and to which it is written."""
