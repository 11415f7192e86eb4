"""Products: commands on one product."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from domain.product.commands import ArchiveProduct, ProductCommand, RestoreProduct, SetPlatformOverride
from domain.product.state import Product, ProductState
from domain.values import Platform
from infrastructure.security.api_keys import Scope
from services.api.commands import Accepted, Version, accepted, expecting
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Problem
from services.api.product_bodies import NewProduct, OverrideBody, ProductChanges, ProductReplacement

PATH: Final = "/api/v2/products"
ONE: Final = PATH + "/{product_id:str}"
EXAMPLES: Final = {"product_id": "0190a3d0-7c9e-7b5a-8f00-3c2d5e6f7a8b", "platform": "shopee"}

_VALUES: Final = (
    "price_out_of_range", "name_invalid", "text_invalid", "dimension_out_of_range", "tags_invalid", "images_invalid",
    "variants_invalid", "sku_repeated", "sku_invalid", "sku_taken",
)  # fmt: skip
_EXISTING: Final = ("product_unknown", "product_archived", "version_conflict")

_EXAMPLE: Final = {
    "sku": "BTK-PRG",
    "name": "Kemeja Batik Parang Lengan Panjang",
    "base_price": 189000,
    "cost_price": 95000,
    "category": "Fashion Pria",
    "subcategory": "Batik",
    "tags": ["batik", "katun"],
    "dimensions": {"weight_kg": "0.350"},
    "variants": [
        {"sku": "BTK-PRG-CKL-L", "options": [{"name": "Warna", "value": "Cokelat"}, {"name": "Ukuran", "value": "L"}]}
    ],
}


class Removal(Accepted, frozen=True, kw_only=True):
    """A product is never deleted: it is archived, and can be restored."""

    note: str = "The product was archived, with its history; restore it with POST .../restore."


class Reason(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    reason: str = ""
    expected_version: Version | None = None


class Nothing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    expected_version: Version | None = None


def location(product_id: str) -> str:
    return f"{PATH}/{product_id}"


def _id_of(_: int, state: ProductState) -> bytes:
    assert isinstance(state, Product), "a product that was commanded is there"
    return msgspec.json.encode(state.product_id)


@endpoint(
    "POST",
    PATH,
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Create a product",
    answers={201: Accepted},
    refusals=("currency_unsupported", "product_exists", *_VALUES),
    command=True,
    example=_EXAMPLE,
)
async def create_product(call: Call, body: NewProduct) -> Answer:
    """Its SKUs must be free; prices are whole rupiah."""
    app = call.app
    product_id = str(app.identities.new())
    done = await app.products.handle(
        call.context(), product_id, body.command(product_id), once=call.once(body), respond=_id_of
    )
    created: str = msgspec.json.decode(done.response, type=str)
    return accepted(created, done, location(created), status=201)


@endpoint(
    "PUT",
    ONE,
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Replace a product",
    answers={200: Accepted},
    refusals=(*_VALUES, *_EXISTING),
    command=True,
    conditional=True,
    example={"name": "Kemeja Batik Parang", "base_price": 199000, "expected_version": 7},
    path_examples=EXAMPLES,
)
async def replace_product(call: Call, body: ProductReplacement) -> Answer:
    """Everything but the SKU, the currency and the overrides; only what differs becomes an event."""
    return await _command(call, body, body.command(), body.expected_version)


@endpoint(
    "PATCH",
    ONE,
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Change some fields of a product",
    answers={200: Accepted},
    refusals=(*_VALUES, *_EXISTING),
    command=True,
    conditional=True,
    example={"base_price": 199000},
    path_examples=EXAMPLES,
)
async def change_product(call: Call, body: ProductChanges) -> Answer:
    """Two callers who change different fields both succeed; the last one wins on the same field, unless a version is
    expected.
    """
    return await _command(call, body, body.command(), body.expected_version)


@endpoint(
    "DELETE",
    ONE,
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Archive a product",
    answers={200: Removal},
    refusals=("product_unknown",),
    command=True,
    conditional=True,
    path_examples=EXAMPLES,
)
async def delete_product(call: Call) -> Answer:
    """Facts are not erased: the product is archived, its listings are taken down, and it can be restored."""
    answer = await _command(call, None, ArchiveProduct(), None)
    body: Accepted = answer.body
    return Answer(Removal(id=body.id, version=body.version, position=body.position), answer.status, answer.headers)


@endpoint(
    "POST",
    ONE + "/archive",
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Archive a product, with a reason",
    answers={200: Accepted},
    refusals=("product_unknown", "text_invalid", "version_conflict"),
    command=True,
    conditional=True,
    body_optional=True,
    example={"reason": "Tidak diproduksi lagi"},
    path_examples=EXAMPLES,
)
async def archive_product(call: Call, body: Reason) -> Answer:
    return await _command(call, body, ArchiveProduct(reason=body.reason), body.expected_version)


@endpoint(
    "POST",
    ONE + "/restore",
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Bring an archived product back",
    answers={200: Accepted},
    refusals=("product_unknown", "version_conflict"),
    command=True,
    conditional=True,
    body_optional=True,
    example={},
    path_examples=EXAMPLES,
)
async def restore_product(call: Call, body: Nothing) -> Answer:
    """With the status it had before."""
    return await _command(call, body, RestoreProduct(), body.expected_version)


@endpoint(
    "PUT",
    ONE + "/overrides/{platform:str}",
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="What one platform shows instead of the master's values",
    answers={200: Accepted},
    refusals=(
        "override_sku_unknown",
        "platform_unknown",
        "name_invalid",
        "text_invalid",
        "price_out_of_range",
        *_EXISTING,
    ),
    command=True,
    conditional=True,
    example={"name": "Batik Parang Premium", "prices": {"BTK-PRG-CKL-L": 228000}},
    path_examples=EXAMPLES,
)
async def set_override(call: Call, body: OverrideBody) -> Answer:
    """An empty override lets the platform follow the master again."""
    try:
        platform = Platform(call.path("platform"))
    except ValueError:
        known = [platform.value for platform in Platform]
        raise Problem("platform_unknown", f"there is no platform {call.path('platform')!r}", known=known) from None
    command = SetPlatformOverride(platform=platform, override=body.override())
    return await _command(call, body, command, body.expected_version)


async def _command(call: Call, body: Struct | None, command: ProductCommand, expected_version: int | None) -> Answer:
    product_id = call.path("product_id")
    handle = partial(call.app.products.handle, call.context(), product_id, command, once=call.once(body))
    done = await expecting(call, expected_version, lambda expected: handle(expected=expected))
    return accepted(product_id, done, location(product_id))


ROUTES: Final = (
    create_product,
    replace_product,
    change_product,
    delete_product,
    archive_product,
    restore_product,
    set_override,
)
