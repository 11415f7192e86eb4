"""A catalogue file's products into the catalogue: matched by SKU, created or changed, each row ending in an outcome.

The same file again changes nothing, also after an import that was cut off; so starting it again is the way to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct, field

from domain.catalogue_file.columns import UnusedColumn
from domain.catalogue_file.products import ProductRows, new_product
from domain.catalogue_file.rows import RowRejected, rejected
from domain.errors import Refusal
from domain.messages import Claim, CommandContext
from domain.ports import EventStore, Identities
from domain.product.commands import ProductCommand
from domain.product.decider import sku_claim
from domain.product.events import ProductCreated, ProductEvent
from domain.product.evolution import fields_of
from domain.product.state import NotCreated, Product, ProductState
from domain.values import identity_of, stream_id
from services.usecases.aggregates import PRODUCT, duplicate_sku
from services.usecases.bulk import InTurn
from services.usecases.import_changes import changes_to
from services.usecases.import_stock import ImportPlan, StockLine, StockMode, book_stock
from services.usecases.many import Intent, decide_many
from services.usecases.outcome import Done

CHUNK: Final = 300


class Ending(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class RowOutcome(Struct, frozen=True, kw_only=True):
    """What became of one product's rows. `changes` names fields; a stock field as "stock:SKU"."""

    lines: tuple[int, ...]
    sku: str
    outcome: Ending
    product_id: str
    changes: tuple[str, ...] = ()


class Tally(Struct, kw_only=True):
    """How far an import is. All but `products` and `events` count rows of the file."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    products: int = 0
    events: int = 0
    """In a preview, those that would be stored."""
    rejections: list[RowRejected] = field(default_factory=list)
    unused_columns: tuple[UnusedColumn, ...] = ()
    """Headings of the file that mean nothing here, so that what is below them was not taken."""

    @property
    def processed(self) -> int:
        return self.created + self.updated + self.unchanged + self.rejected


class _Matched(Struct, frozen=True):
    rows: ProductRows
    product_id: str
    is_new: bool


async def import_products(
    rows: Iterable[ProductRows | RowRejected],
    plan: ImportPlan,
    *,
    store: EventStore,
    identities: Identities,
    context: CommandContext,
    unused_columns: tuple[UnusedColumn, ...] = (),
    progress: Callable[[Tally], None] = lambda _: None,
    on_outcome: Callable[[RowOutcome | RowRejected], None] = lambda _: None,
) -> Tally:
    """`context.batch_id` stands on every event. `progress` is called after each chunk, with one and the same tally.

    Raises ValueError for stock that is to be added under no batch id: added twice, it would be wrong.
    """
    if plan.stock_mode is StockMode.ADD and context.batch_id is None:
        raise ValueError("stock can only be added under a batch id, by which a repetition is recognised")
    run = _Import(plan, store, identities, context)
    tally = Tally(unused_columns=unused_columns)
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        for outcome in await run.chunk(chunk):
            _count(tally, outcome)
            on_outcome(outcome)
        tally.events = run.events
        progress(tally)
    return tally


def _count(tally: Tally, outcome: RowOutcome | RowRejected) -> None:
    if isinstance(outcome, RowRejected):
        tally.rejected += 1
        tally.rejections.append(outcome)
        return
    tally.products += 1
    match outcome.outcome:
        case Ending.CREATED:
            tally.created += len(outcome.lines)
        case Ending.UPDATED:
            tally.updated += len(outcome.lines)
        case Ending.UNCHANGED:
            tally.unchanged += len(outcome.lines)


class _Import:
    def __init__(self, plan: ImportPlan, store: EventStore, identities: Identities, context: CommandContext) -> None:
        self._plan = plan
        self._store = store
        self._identities = identities
        self._context = context
        self.events = 0

    async def chunk(self, rows: Sequence[ProductRows | RowRejected]) -> Sequence[RowOutcome | RowRejected]:
        outcomes: list[RowOutcome | RowRejected] = [row for row in rows if isinstance(row, RowRejected)]
        products = [row for row in rows if isinstance(row, ProductRows)]
        owners = await self._owners(products)
        matches = [self._match(row, owners) for row in products]
        outcomes += [match for match in matches if isinstance(match, RowRejected)]
        for wave in _waves(match for match in matches if isinstance(match, _Matched)):
            outcomes += await self._wave(wave)
        return outcomes

    async def _owners(self, products: Sequence[ProductRows]) -> Mapping[Claim, str]:
        claims = {sku_claim(sku) for rows in products for sku in (rows.sku, *(v.sku for v in rows.variants))}
        return await self._store.owner_of(self._context.org_id, sorted(claims)) if claims else {}

    def _match(self, rows: ProductRows, owners: Mapping[Claim, str]) -> _Matched | RowRejected:
        owner = owners.get(sku_claim(rows.sku))
        for variant in rows.variants:
            other = owners.get(sku_claim(variant.sku))
            if other is not None and other != owner:
                return rejected(variant.line, None, variant.sku, duplicate_sku(variant.sku, other))
        if owner is None:
            return _Matched(rows, str(self._identities.new()), is_new=True)
        return _Matched(rows, identity_of(owner), is_new=False)

    async def _wave(self, matches: Sequence[_Matched]) -> list[RowOutcome | RowRejected]:
        outcomes: list[RowOutcome | RowRejected] = []
        intents: list[Intent[ProductState, ProductEvent]] = []
        meant: list[_Matched] = []
        for match in matches:
            intent = _intent(match)
            if isinstance(intent, RowRejected):
                outcomes.append(intent)
            else:
                intents.append(intent)
                meant.append(match)
        ended = await decide_many(
            PRODUCT,
            intents,
            store=self._store,
            identities=self._identities,
            context=self._context,
            write=not self._plan.preview,
        )
        done = [(match, end) for match, end in zip(meant, ended, strict=True) if isinstance(end, Done)]
        outcomes += [
            rejected(match.rows.lines[0], None, match.rows.sku, end)
            for match, end in zip(meant, ended, strict=True)
            if isinstance(end, Refusal)
        ]
        return outcomes + await self._with_stock(done)

    async def _with_stock(
        self, done: Sequence[tuple[_Matched, Done[ProductState, ProductEvent]]]
    ) -> list[RowOutcome | RowRejected]:
        lines = [
            StockLine(product=end.state, sku=sku, quantity=quantity, line=_line_of(match.rows, sku))
            for match, end in done
            for sku, quantity in match.rows.stock
            if isinstance(end.state, Product)
        ]
        booked = await book_stock(
            lines, self._plan, store=self._store, identities=self._identities, context=self._context
        )
        self.events += sum(len(end.events) for _, end in done) + sum(
            len(b.events) for b in booked if isinstance(b, Done)
        )
        refused = [b for b in booked if isinstance(b, RowRejected)]
        moved = {line.sku for line, b in zip(lines, booked, strict=True) if isinstance(b, Done) and b.events}
        return [*refused, *(_told(match, end, moved, {r.line for r in refused}) for match, end in done)]


def _waves(matches: Iterable[_Matched]) -> Iterator[Sequence[_Matched]]:
    """Each product once in a wave, and what comes later of it in a later one."""
    waves: list[dict[str, _Matched]] = []
    for match in matches:
        wave = next((wave for wave in waves if match.product_id not in wave), None)
        if wave is None:
            waves.append(wave := {})
        wave[match.product_id] = match
    yield from (list(wave.values()) for wave in waves)


def _intent(match: _Matched) -> Intent[ProductState, ProductEvent] | RowRejected:
    stream = stream_id("product", match.product_id)
    if not match.is_new:
        return Intent(stream, match.product_id, partial(_change, match.rows))
    create = new_product(match.rows, match.product_id)
    if isinstance(create, RowRejected):
        return create
    return Intent(stream, match.product_id, partial(_create, create))


def _create(create: ProductCommand, state: ProductState) -> Sequence[ProductEvent]:
    return PRODUCT.decider.decide(create, state)


def _change(rows: ProductRows, state: ProductState) -> Sequence[ProductEvent]:
    return [] if isinstance(state, NotCreated) else InTurn(changes_to(rows, state))(state)


def _line_of(rows: ProductRows, sku: str) -> int:
    return next((variant.line for variant in rows.variants if variant.sku == sku), rows.lines[0])


def _told(match: _Matched, done: Done[ProductState, ProductEvent], moved: set[str], refused: set[int]) -> RowOutcome:
    rows = match.rows
    fields = {name for event in done.events for name in fields_of(event)}
    fields |= {f"stock:{sku}" for sku, _ in rows.stock if sku in moved}
    is_created = any(isinstance(event, ProductCreated) for event in done.events)
    return RowOutcome(
        lines=tuple(line for line in rows.lines if line not in refused),
        sku=rows.sku,
        outcome=Ending.CREATED if is_created else Ending.UPDATED if fields else Ending.UNCHANGED,
        product_id=match.product_id,
        changes=tuple(sorted(fields)),
    )
