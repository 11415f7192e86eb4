"""The job behind POST /products/bulk-update: items in order, each ending as done, unchanged or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain.messages import CommandContext
from domain.product.commands import ChangeProduct
from domain.product.decider import sku_claim
from domain.values import fingerprint, identity_of
from infrastructure.jobs.jobs import Item, Job, Settled
from services.app import App
from services.usecases.bulk import ItemResult, ProductUpdate, update_products
from services.usecases.conditions import Once

CHUNK: Final = 100


class BulkItem(Struct, frozen=True, kw_only=True):
    """One item as the job keeps it: a product by id or by SKU, and what shall change of it."""

    change: ChangeProduct
    product_id: str | None = None
    sku: str | None = None


class ItemProblem(Struct, frozen=True, kw_only=True):
    """Why an item was refused; as in problem documents."""

    code: str
    detail: str
    remedy: str
    facts: dict[str, Any] = {}


_UNKNOWN_SKU: Final = "Check the SKU, or create the product first."
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


async def bulk_update(app: App, org_id: str, job: Job) -> None:
    context = CommandContext(
        org_id=org_id,
        actor=job.actor,
        now=app.clock.now(),
        correlation_id=job.correlation_id,
        batch_id=job.id,
    )
    while items := await app.jobs.items(org_id, job.id, limit=CHUNK, state="waiting"):
        for wave in _waves(await _resolved(app, org_id, items)):
            if not await app.jobs.settle(org_id, job.id, await _update(app, context, wave)):
                return
    await app.jobs.finish(org_id, job.id, state="finished")


async def _resolved(app: App, org_id: str, items: Sequence[Item]) -> list[tuple[int, BulkItem, str | None]]:
    """Item number, item, and the product's id; None where no product has the SKU."""
    wanted = [(item.number, msgspec.convert(item.request, BulkItem)) for item in items]
    claims = {one.sku: sku_claim(one.sku) for _, one in wanted if one.sku is not None}
    owners = await app.store.owner_of(org_id, sorted(set(claims.values()))) if claims else {}
    resolved: list[tuple[int, BulkItem, str | None]] = []
    for number, one in wanted:
        owner = None if one.sku is None else owners.get(claims[one.sku])
        product_id = one.product_id if one.sku is None else None if owner is None else identity_of(owner)
        resolved.append((number, one, product_id))
    return resolved


def _waves(
    resolved: Iterable[tuple[int, BulkItem, str | None]],
) -> Sequence[Sequence[tuple[int, BulkItem, str | None]]]:
    """Each product once in a wave, and what comes later of it in a later one."""
    waves: list[list[tuple[int, BulkItem, str | None]]] = []
    depth: dict[str, int] = {}
    for one in resolved:
        place = 0
        if one[2] is not None:
            place = depth.get(one[2], 0)
            depth[one[2]] = place + 1
        if place == len(waves):
            waves.append([])
        waves[place].append(one)
    return waves


async def _update(app: App, context: CommandContext, wave: Sequence[tuple[int, BulkItem, str | None]]) -> list[Settled]:
    settled = [_unknown(number, one) for number, one, product_id in wave if product_id is None]
    numbers = [number for number, _, product_id in wave if product_id is not None]
    updates = [
        ProductUpdate(product_id=product_id, commands=(one.change,), once=_once(context, number, one))
        for number, one, product_id in wave
        if product_id is not None
    ]
    results = await update_products(updates, store=app.store, identities=app.identities, context=context)
    return settled + await asyncio.gather(
        *(_settled(app, context, number, result) for number, result in zip(numbers, results, strict=True))
    )


def _once(context: CommandContext, number: int, item: BulkItem) -> Once:
    return Once(_key(context, number), fingerprint(_encode(item)))


def _key(context: CommandContext, number: int) -> str:
    return f"bulk:{context.batch_id}:{number}"


async def _settled(app: App, context: CommandContext, number: int, result: ItemResult) -> Settled:
    if result.outcome == "updated":
        return _done(number, result.product_id, result.version, result.position)
    answered = await app.store.answered(context.org_id, _key(context, number))
    if answered is not None:  # done already, by someone who was cut off before it could say so
        return _done(number, result.product_id, answered.version, answered.position)
    if result.outcome == "unchanged":
        return Settled(number=number, state="unchanged", product_id=result.product_id, version=result.version)
    problem = ItemProblem(code=result.code or "refused", detail=result.reason, remedy=result.remedy, facts=result.facts)
    return Settled(number=number, state="refused", product_id=result.product_id, problem=_encode(problem))


def _done(number: int, product_id: str, version: int, position: int) -> Settled:
    return Settled(number=number, state="done", product_id=product_id, version=version, position=position)


def _unknown(number: int, item: BulkItem) -> Settled:
    detail = f"no product has SKU {item.sku!r}"
    problem = ItemProblem(code="sku_unknown", detail=detail, remedy=_UNKNOWN_SKU, facts={"sku": item.sku})
    return Settled(number=number, state="refused", problem=_encode(problem))
