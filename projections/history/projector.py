"""Facts of products, stock and listings, kept as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from projections.projection import Log

HISTORY: Final = Log(name="history", shape=1, categories=("product", "stock", "listing"), folder=Path(__file__).parent)
