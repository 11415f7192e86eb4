"""The one list of views."""

from __future__ import annotations

from typing import Final

from projections.catalogue.projector import CATALOGUE
from projections.conflicts.projector import CONFLICTS
from projections.history.projector import HISTORY
from projections.listing_status.projector import LISTING_STATUS
from projections.projection import AnyView

VIEWS: Final[tuple[AnyView, ...]] = (CATALOGUE, HISTORY, LISTING_STATUS, CONFLICTS)
