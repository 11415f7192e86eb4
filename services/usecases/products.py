"""Products: every command on one product."""

from __future__ import annotations

from domain.messages import CommandContext
from domain.ports import EventStore, Identities
from domain.product.commands import CreateProduct, ProductCommand
from domain.product.decider import NoSuchProduct, sku_claim
from domain.product.events import ProductEvent
from domain.product.state import NotCreated, Product, ProductState
from domain.values import identity_of, stream_id
from services.usecases.aggregates import PRODUCT
from services.usecases.conditions import Expected, Once, Respond, no_response
from services.usecases.outcome import Done
from services.usecases.repository import CACHED_STREAMS, Repository


class UnknownSku(NoSuchProduct):
    code = "sku_unknown"
    remedy = "Check the SKU, or create the product first."


class Products:
    def __init__(self, store: EventStore, identities: Identities, *, cached: int = CACHED_STREAMS) -> None:
        self._store = store
        self._repository = Repository(PRODUCT, store, identities, cached=cached)

    async def handle(
        self,
        context: CommandContext,
        product_id: str,
        command: ProductCommand,
        *,
        expected: Expected | None = None,
        once: Once | None = None,
        respond: Respond[ProductState] = no_response,
    ) -> Done[ProductState, ProductEvent]:
        """Raises the refusals of `domain.product`, DuplicateSku, StaleVersion, KeyReused, TooBusy."""
        if isinstance(command, CreateProduct) and command.product_id != product_id:
            raise ValueError(f"a command for product {command.product_id} was sent to {product_id}")
        return await self._repository.handle(
            context,
            stream_id("product", product_id),
            product_id,
            command,
            expected=expected,
            once=once,
            respond=respond,
        )

    async def get(self, org_id: str, product_id: str) -> tuple[int, Product]:
        """Version and product. Raises NoSuchProduct."""
        loaded = await self._repository.load(org_id, stream_id("product", product_id))
        if isinstance(loaded.state, NotCreated):
            raise NoSuchProduct(f"there is no product {product_id}", product_id=product_id)
        return loaded.version, loaded.state

    async def by_sku(self, org_id: str, sku: str) -> str:
        """The id of the product that owns a SKU, its own or a variant's. Raises UnknownSku."""
        claim = sku_claim(sku)
        owner = (await self._store.owner_of(org_id, [claim])).get(claim)
        if owner is None:
            raise UnknownSku(f"no product has SKU {sku!r}", sku=sku)
        return identity_of(owner)
