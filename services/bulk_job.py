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
from domain.values import identity_of, stream_id
from infrastructure.jobs.jobs import Item, Job, Settled
from services.app import App
from services.usecases.bulk import ItemResult, ProductUpdate, update_products

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
    known = [(number, one, product_id) for number, one, product_id in wave if product_id is not None]
    updates = [ProductUpdate(product_id=product_id, commands=(one.change,)) for _, one, product_id in known]
    results = await update_products(updates, store=app.store, identities=app.identities, context=context)
    return settled + await asyncio.gather(
        *(_settled(app, context, number, result) for (number, _, _), result in zip(known, results, strict=True))
    )


async def _settled(app: App, context: CommandContext, number: int, result: ItemResult) -> Settled:
    match result.outcome:
        case "refused":
            problem = ItemProblem(
                code=result.code or "refused", detail=result.reason, remedy=result.remedy, facts=result.facts
            )
            return Settled(number=number, state="refused", product_id=result.product_id, problem=_encode(problem))
        case "unchanged":
            return await _unchanged(app, context, number, result)
        case _:
            return Settled(
                number=number,
                state="done",
                product_id=result.product_id,
                version=result.version,
                position=result.position,
            )


async def _unchanged(app: App, context: CommandContext, number: int, result: ItemResult) -> Settled:
    """Nothing to do may mean that this very job has done it, and was cut off before it could say so."""
    stream = stream_id("product", result.product_id)
    last = await app.store.read_stream(context.org_id, stream, after=result.version - 1)
    mine = bool(last) and last[0].version == result.version and last[0].batch_id == context.batch_id
    return Settled(
        number=number,
        state="done" if mine else "unchanged",
        product_id=result.product_id,
        version=result.version,
        position=last[0].position if mine else None,
    )


def _unknown(number: int, item: BulkItem) -> Settled:
    detail = f"no product has SKU {item.sku!r}"
    problem = ItemProblem(code="sku_unknown", detail=detail, remedy=_UNKNOWN_SKU, facts={"sku": item.sku})
    return Settled(number=number, state="refused", problem=_encode(problem))
