"""What the catalogue makes of a product's events, over products with any history."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from domain.events import encode
from domain.product.commands import ProductCommand
from domain.product.state import Product
from projections.catalogue.projector import CATALOGUE
from projections.fill import StoredFact, fold_stream
from tests.domain.product.test_product_laws import COMMANDS, live

AT = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(COMMANDS, max_size=12))
def test_the_catalogue_shows_the_variants_and_overrides_that_the_product_has(commands: list[ProductCommand]) -> None:
    life = live(commands)
    facts = []
    for version, event in enumerate(life.events, start=1):
        name, schema, data = encode(event)
        facts.append(StoredFact(version, version, name, schema, AT, Raw(data), "toko", "product-p", "p"))
    (row,) = fold_stream(CATALOGUE, facts)
    state = life.states[-1]
    assert isinstance(state, Product)
    assert row.variants == state.variants  # type: ignore[attr-defined]  # a row of the catalogue
    assert row.overrides == {str(platform): override for platform, override in state.overrides}  # type: ignore[attr-defined]  # likewise
