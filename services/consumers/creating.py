"""Makes the item that a listing does not have yet at its shop, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.connection.state import Connection
from domain.errors import SyncStoreError
from domain.listing.commands import RefusedValue
from domain.listing.diff import DueField
from domain.listing.fields import DESCRIPTION, IMAGES, LISTED, TITLE, WEIGHT, price_field, stock_field
from domain.listing.state import Listing
from domain.policies.retry import ErrorClass
from domain.product.state import Product
from infrastructure.platforms.connector import Capabilities, DraftVariant, ListingDraft, PlatformError
from services.consumers.sending import kilograms, pictures
from services.usecases.listed_skus import as_listed

CATEGORY_UNKNOWN: Final = "category_unknown"
"""A category is no field of a listing: `DeriveDesired` lets the item be tried when there is one."""


class NotReady(SyncStoreError):
    """The product lacks something that the platform asks of every item; the rows say what, field by field."""

    def __init__(self, rows: list[RefusedValue]) -> None:
        super().__init__("; ".join(row.message for row in rows))
        self.rows = rows


def draft(listing: Listing, product: Product, connection: Connection, capabilities: Capabilities) -> ListingDraft:
    """With SKUs as the listing writes them. Raises NotReady."""
    product = as_listed(product, listing)
    category = connection.category_for(product.category)
    _check(listing, product, category, capabilities)
    assert category is not None
    return ListingDraft(
        sku=product.sku,
        title=str(listing.field(TITLE).target),
        description=str(listing.field(DESCRIPTION).target),
        category_id=category,
        weight_kg=kilograms(listing.field(WEIGHT).target),
        images=pictures(listing.field(IMAGES).target),
        variants=tuple(
            DraftVariant(
                sku=variant.sku,
                options=variant.options,
                price=_figure(listing, price_field(variant.sku)),
                stock=_figure(listing, stock_field(variant.sku)),
            )
            for variant in product.sellables
        ),
    )


def _figure(listing: Listing, field: str) -> int:
    value = listing.field(field).target
    return value if isinstance(value, int) else 0


def _check(listing: Listing, product: Product, category: str | None, limits: Capabilities) -> None:
    title, description = str(listing.field(TITLE).target or ""), str(listing.field(DESCRIPTION).target or "")
    wrong: dict[str, str] = {}
    codes: dict[str, str] = {}
    if not limits.title_min <= len(title) <= limits.title_max:
        wrong[TITLE] = (
            f"{limits.name} takes titles of {limits.title_min} to {limits.title_max} characters, not {len(title)}"
        )
    if not limits.description_min <= len(description) <= limits.description_max:
        wrong[DESCRIPTION] = (
            f"{limits.name} takes descriptions of {limits.description_min} to {limits.description_max} characters, "
            f"not {len(description)}"
        )
    if not listing.field(WEIGHT).target:
        wrong[WEIGHT] = f"{limits.name} needs the weight: give the product one"
    if not listing.field(IMAGES).target:
        wrong[IMAGES] = f"{limits.name} needs at least one picture"
    if category is None:
        codes[LISTED] = CATEGORY_UNKNOWN
        wrong[LISTED] = (
            f"no category of {limits.name} is known for {product.category!r}: give the product one that the connection "
            "has a category for"
        )
    elif len(product.sellables) > limits.variants_max:
        wrong[LISTED] = f"{limits.name} takes {limits.variants_max} variants an item, not {len(product.sellables)}"
    if wrong:
        raise NotReady(
            [
                RefusedValue(
                    field=name,
                    value=listing.field(name).target,
                    error_class=ErrorClass.VALID,
                    code=codes.get(name, "not_ready"),
                    message=message,
                )
                for name, message in wrong.items()
            ]
        )


_BY_WORD = (
    ("name", TITLE),
    ("title", TITLE),
    ("desc", DESCRIPTION),
    ("image", IMAGES),
    ("weight", WEIGHT),
    ("logistic", WEIGHT),
)


def blamed(error: PlatformError, rows: Mapping[str, DueField]) -> list[DueField]:
    """The fields that a refusal of the whole item speaks of, by its code, so that correcting them lets it be tried."""
    code = error.code.lower()
    for kind in ("price", "stock"):
        if kind in code and (found := [row for name, row in rows.items() if name.startswith(f"{kind}:")]):
            return found
    for word, name in _BY_WORD:
        if word in code and name in rows:
            return [rows[name]]
    return [rows[LISTED]] if LISTED in rows else list(rows.values())
