"""The one list of views."""

from __future__ import annotations

from typing import Final

from projections.catalogue.projector import CATALOGUE
from projections.history.projector import HISTORY
from projections.projection import AnyView

VIEWS: Final[tuple[AnyView, ...]] = (CATALOGUE, HISTORY)
