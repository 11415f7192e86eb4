"""The parts of a running simulator."""

from __future__ import annotations

from msgspec import Struct

from services.simulators.shopee.api import Api
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.pushes import PushSender
from services.simulators.shopee.shop import Shop


class Simulator(Struct, frozen=True, kw_only=True):
    """The parts, for tests that look inside; `app.state.simulator` of the app that `create_app` makes."""

    config: SimulatorConfig
    shop: Shop
    api: Api
    pushes: PushSender
