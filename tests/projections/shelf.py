"""A catalogue view filled straight from catalogue files, where neither events nor Kafka are what is tested."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import ProductRows, group_products
from domain.catalogue_file.rows import CatalogueRow as FileRow
from infrastructure.postgres.pool import WORKER, connection_arguments
from projections.catalogue.projector import CATALOGUE, CatalogueRow
from projections.fill import copy_rows
from projections.tables import block, create_table, table_of
from tests.projections.stage import ORG

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def products_in(path: Path) -> list[ProductRows]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        rows = [row for row in CatalogueFile(lines) if isinstance(row, FileRow)]
    return [found for found in group_products(rows) if isinstance(found, ProductRows)]


def fill_catalogue(url: str, products: Sequence[ProductRows], org: str = ORG) -> None:
    """Generation 1 of the view, indexed, analysed and seen by readers."""
    with psycopg.connect(url, **connection_arguments(role=WORKER, name="tests-shelf")) as connection:
        asyncio.run(_create(url))
        copy_rows(connection, CATALOGUE, table_of(CATALOGUE, 1), [*_rows(products, org)])
        connection.execute(block(CATALOGUE, "indexes", 1))
        connection.execute(block(CATALOGUE, "view", 1))
        connection.execute("grant select on projections.catalogue to syncstore_app")
        connection.execute(f"vacuum analyze {table_of(CATALOGUE, 1)}")


async def _create(url: str) -> None:
    arguments = connection_arguments(role=WORKER, name="tests-shelf")
    async with await psycopg.AsyncConnection.connect(url, **arguments) as connection:
        await create_table(connection, CATALOGUE, 1)


def _rows(products: Iterable[ProductRows], org: str) -> Iterable[CatalogueRow]:
    for number, product in enumerate(products, 1):
        yield CATALOGUE.freeze(
            CatalogueRow(
                org_id=org,
                version=1,
                position=number,
                product_id=f"p-{number:06d}",
                sku=product.sku,
                name=product.name or "",
                base_price=product.base_price or 1,
                currency="IDR",
                cost_price=None,
                short_description=product.short_description or "",
                description=product.description or "",
                dimensions=product.dimensions,
                category=product.category or "",
                subcategory=product.subcategory or "",
                tags=list(product.tags or ()),
                images=(),
                variants=(),
                overrides={},
                status="active",
                created_at=NOW,
                created_position=number,
                updated_at=NOW,
                search="",
            )
        )
