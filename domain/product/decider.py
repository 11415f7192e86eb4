"""How a product answers commands: refusals for what cannot be, events for what differs, nothing for the rest.

What changes of its variants, and of the prices that platforms have for them, is decided in `variants`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar, assert_never

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from domain.decider import Decider
from domain.errors import Refusal
from domain.messages import Claim
from domain.product import events, limits
from domain.product.commands import (
    AddVariant,
    ArchiveProduct,
    ChangeProduct,
    ChangeVariant,
    CreateProduct,
    ProductCommand,
    RemoveVariant,
    ReplaceVariants,
    RestoreProduct,
    SetPlatformOverride,
)
from domain.product.evolution import evolve
from domain.product.state import NotCreated, Product, ProductState
from domain.product.variants import change_variants, set_override, variant_of
from domain.values import ProductStatus

T = TypeVar("T")


class NoSuchProduct(Refusal):
    code = "product_unknown"
    remedy = "Check the product id, or create the product first."


class ProductExists(Refusal):
    code = "product_exists"
    remedy = "Change the product instead of creating it again."


class ArchivedProduct(Refusal):
    code = "product_archived"
    remedy = "Restore the product first."


class StatusNotSettable(Refusal):
    code = "status_not_settable"
    remedy = "Set active or inactive; use archive and restore for the rest."


def decide(command: ProductCommand, state: ProductState) -> Sequence[events.ProductEvent]:
    match state:
        case NotCreated():
            if isinstance(command, CreateProduct):
                return _create(command)
            raise NoSuchProduct("there is no such product")
        case Product():
            return _decide_existing(command, state)
        case _:
            assert_never(state)


def _decide_existing(command: ProductCommand, product: Product) -> Sequence[events.ProductEvent]:
    archived = product.status is ProductStatus.ARCHIVED
    match command:
        case CreateProduct():
            return _create_again(command, product)
        case ArchiveProduct(reason=reason):
            limits.check_text("reason", reason, limits.MAX_REASON)
            return [] if archived else [events.ProductArchived(old=product.status, reason=reason)]
        case RestoreProduct():
            before = product.status_before_archive or ProductStatus.ACTIVE
            return [events.ProductRestored(new=before)] if archived else []
        case _:
            if archived:
                raise ArchivedProduct(f"product {product.sku} is archived", sku=product.sku)
            return _change(command, product)


def claims_of(state: ProductState) -> frozenset[Claim]:
    """The SKUs a product owns, archived or not, so that restoring it always works."""
    match state:
        case NotCreated():
            return frozenset()
        case Product():
            skus = (state.sku, *(variant.sku for variant in state.variants))
            return frozenset(sku_claim(sku) for sku in skus)
        case _:
            assert_never(state)


def sku_claim(sku: str) -> Claim:
    return Claim("sku", sku.casefold())


def _create(command: CreateProduct) -> Sequence[events.ProductEvent]:
    if command.status is ProductStatus.ARCHIVED:
        raise StatusNotSettable("a product cannot be created archived", field="status")
    limits.check_sku(command.sku)
    limits.check_name(command.name)
    limits.check_price("base_price", command.base_price)
    limits.check_price("cost_price", command.cost_price)
    limits.check_currency(command.currency)
    limits.check_text("short_description", command.short_description)
    limits.check_text("description", command.description)
    limits.check_text("category", command.category, limits.MAX_SHELF)
    limits.check_text("subcategory", command.subcategory, limits.MAX_SHELF)
    limits.check_dimensions(command.dimensions)
    limits.check_tags(command.tags)
    limits.check_images(command.images)
    limits.check_variants(command.sku, command.variants)
    return [events.ProductCreated(**asdict(command))]


def _create_again(command: CreateProduct, product: Product) -> Sequence[events.ProductEvent]:
    made = evolve(NotCreated(), events.ProductCreated(**asdict(command)))
    if isinstance(made, Product) and _without_case(made) == _without_case(product):
        return []
    raise ProductExists(f"product {product.product_id} exists", product_id=product.product_id, sku=product.sku)


_Change = ChangeProduct | ReplaceVariants | AddVariant | ChangeVariant | RemoveVariant | SetPlatformOverride


def _change(  # noqa: PLR0911  # one arm a command
    command: _Change, product: Product
) -> Sequence[events.ProductEvent]:
    match command:
        case ChangeProduct():
            return _change_fields(command, product)
        case ReplaceVariants(variants=variants):
            return change_variants(variants, product)
        case AddVariant(variant=variant):
            known = {v.sku.casefold(): v for v in product.variants}.get(variant.sku.casefold())
            if known is not None and replace(variant, sku=known.sku) == known:
                return []
            return change_variants((*product.variants, variant), product)
        case ChangeVariant():
            old = variant_of(product, command.sku)
            new = replace(
                old, options=_given(command.options, old.options), base_price=_given(command.base_price, old.base_price)
            )
            return change_variants(tuple(new if v is old else v for v in product.variants), product)
        case RemoveVariant(sku=sku):
            removed = variant_of(product, sku)
            return change_variants(tuple(v for v in product.variants if v is not removed), product)
        case SetPlatformOverride():
            return set_override(command, product)
        case _:
            assert_never(command)


def _change_fields(command: ChangeProduct, product: Product) -> Sequence[events.ProductEvent]:
    changed: list[events.ProductEvent] = []
    name = _given(command.name, product.name)
    if name != product.name:
        limits.check_name(name)
        changed.append(events.ProductRenamed(old=product.name, new=name))

    old_texts = events.Texts(short_description=product.short_description, description=product.description)
    texts = events.Texts(
        short_description=_given(command.short_description, old_texts.short_description),
        description=_given(command.description, old_texts.description),
    )
    if texts != old_texts:
        limits.check_text("short_description", texts.short_description)
        limits.check_text("description", texts.description)
        changed.append(events.ProductDescribed(old=old_texts, new=texts))

    old_shelf = events.Shelf(category=product.category, subcategory=product.subcategory)
    shelf = events.Shelf(
        category=_given(command.category, old_shelf.category),
        subcategory=_given(command.subcategory, old_shelf.subcategory),
    )
    if shelf != old_shelf:
        limits.check_text("category", shelf.category, limits.MAX_SHELF)
        limits.check_text("subcategory", shelf.subcategory, limits.MAX_SHELF)
        changed.append(events.ProductCategorised(old=old_shelf, new=shelf))
    variants = [] if command.variants is UNSET else change_variants(command.variants, product)
    return [*changed, *_change_figures(command, product), *variants, *_change_status(command, product)]


def _change_figures(command: ChangeProduct, product: Product) -> list[events.ProductEvent]:
    changed: list[events.ProductEvent] = []
    if command.base_price is not UNSET:
        # Checked before compared: True equals 1, and 5.0 equals 5.
        limits.check_price("base_price", command.base_price)
        if command.base_price != product.base_price:
            changed.append(events.BasePriceChanged(old=product.base_price, new=command.base_price))
    if command.cost_price is not UNSET:
        limits.check_price("cost_price", command.cost_price)
        if command.cost_price != product.cost_price:
            changed.append(events.CostPriceChanged(old=product.cost_price, new=command.cost_price))
    if command.dimensions is not UNSET:
        limits.check_dimensions(command.dimensions)
        if command.dimensions != product.dimensions:
            changed.append(events.DimensionsChanged(old=product.dimensions, new=command.dimensions))
    tags = _given(command.tags, product.tags)
    if tags != product.tags:
        limits.check_tags(tags)
        changed.append(events.ProductTagged(old=product.tags, new=tags))
    images = _given(command.images, product.images)
    if images != product.images:
        limits.check_images(images)
        changed.append(events.ImagesChanged(old=product.images, new=images))
    return changed


def _change_status(command: ChangeProduct, product: Product) -> list[events.ProductEvent]:
    status = _given(command.status, product.status)
    if status is product.status:
        return []
    match status:
        case ProductStatus.ACTIVE:
            return [events.ProductActivated(old=product.status)]
        case ProductStatus.INACTIVE:
            return [events.ProductDeactivated(old=product.status)]
        case ProductStatus.ARCHIVED:
            raise StatusNotSettable("archiving is not a change of status", field="status")
        case _:
            assert_never(status)


def _without_case(product: Product) -> Product:
    """For comparison only."""
    variants = tuple(replace(variant, sku=variant.sku.casefold()) for variant in product.variants)
    return replace(product, sku=product.sku.casefold(), variants=variants)


def _given(value: T | UnsetType, otherwise: T) -> T:
    return otherwise if isinstance(value, UnsetType) else value


PRODUCT: Final[Decider[ProductCommand, ProductState, events.ProductEvent]] = Decider(
    category="product", initial=NotCreated(), decide=decide, evolve=evolve
)
