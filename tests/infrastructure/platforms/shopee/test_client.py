import asyncio
import logging

import httpx
import msgspec
import pytest

from domain.policies.retry import ErrorClass
from domain.values import Image
from infrastructure.http import HttpClient
from infrastructure.platforms.connector import (
    ContentChange,
    PlatformCallFailed,
    PriceChange,
    StockChange,
)
from infrastructure.platforms.pace import Pace
from infrastructure.platforms.shopee.client import ShopeeConnector
from infrastructure.platforms.shopee.transport import ShopeeAccount, ShopeeSession, ShopeeTransport
from infrastructure.platforms.tokens import MemoryVault, RotatingTokens, Tokens
from services.simulators.images import DrawnImages
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.faults import Fault
from services.simulators.shopee.seed import seed
from tests.contracts.connector_contract import draft
from tests.plugins.shopee_simulator import MovableClock, RunningShopee, StartShopee

PRICE = "product/update_price"


async def first_listing(shopee: RunningShopee, connector: ShopeeConnector) -> tuple[str, PriceChange]:
    (item,) = seed(shopee.shop, 1)
    (listing,) = await connector.read_listings((str(item.item_id),))
    variant = listing.variants[0]
    return listing.external_id, PriceChange(variant.external_id, variant.sku, variant.price + 1_000)


async def failure_of(shopee: RunningShopee, connector: ShopeeConnector, fault: Fault) -> tuple[ErrorClass, str]:
    external_id, change = await first_listing(shopee, connector)
    shopee.fail(fault)
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.update_prices(external_id, (change,))
    return failure.value.error.error_class, failure.value.error.code


async def test_an_expired_token_is_refreshed_once_and_the_call_repeated_once(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    shopee.clock.ahead += 4 * 3600 + 1
    result = await connector.update_prices(external_id, (change,))
    assert len(result.accepted) == 1
    assert shopee.shop.calls["auth/access_token/get"] == 1
    assert shopee.shop.calls[PRICE] == 2


async def test_parallel_calls_with_an_expired_token_spend_one_refresh_token(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    shopee.clock.ahead += 4 * 3600 + 1
    results = await asyncio.gather(*(connector.update_prices(external_id, (change,)) for _ in range(10)))
    assert all(len(result.accepted) == 1 for result in results)
    assert shopee.shop.calls["auth/access_token/get"] == 1


async def test_an_expired_authorisation_is_dead(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    shopee.clock.ahead += 31 * 86_400
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.update_prices(external_id, (change,))
    assert failure.value.error.error_class is ErrorClass.AUTH_DEAD
    assert failure.value.error.code == "error_shop_refresh_token"


async def test_a_wrong_key_is_a_refused_signature(shopee: RunningShopee) -> None:
    with pytest.raises(PlatformCallFailed) as failure:
        await shopee.transport_with("another key").spend_code("x")
    assert failure.value.error.error_class is ErrorClass.SIGN


@pytest.mark.parametrize(
    ("fault", "error_class", "code"),
    [
        (Fault(kind="http_500", path=PRICE), ErrorClass.SERVER, "http_500"),
        (Fault(kind="html", path=PRICE), ErrorClass.SERVER, "malformed_answer"),
        (Fault(kind="lost_answer", path=PRICE), ErrorClass.SERVER, "http_502"),
        (Fault(kind="error", path=PRICE, error="product.error_inner"), ErrorClass.SERVER, "error_inner"),
        (
            Fault(kind="error", path=PRICE, error="error_cannt_edit_price_in_promotion"),
            ErrorClass.LOCKED,
            "error_cannt_edit_price_in_promotion",
        ),
    ],
)
async def test_a_failing_call_is_classified(
    shopee: RunningShopee, fault: Fault, error_class: ErrorClass, code: str
) -> None:
    assert await failure_of(shopee, await shopee.connector(), fault) == (error_class, code)


async def test_a_shop_that_cannot_be_reached_is_a_network_failure(shopee: RunningShopee, unused_tcp_port: int) -> None:
    account = ShopeeAccount(host=f"http://127.0.0.1:{unused_tcp_port}", partner_id=1, partner_key="k", shop_id=1)
    with pytest.raises(PlatformCallFailed) as failure:
        await ShopeeTransport(account, shopee.http, shopee.clock.now).spend_code("x")
    assert failure.value.error.error_class is ErrorClass.NETWORK


async def test_a_connection_that_ends_as_soon_as_it_is_made_is_a_network_failure(shopee: RunningShopee) -> None:
    def ended(_: httpx.Request) -> httpx.Response:
        raise AttributeError("'NoneType' object has no attribute 'getpeername'", name="getpeername")

    account = ShopeeAccount(host="http://shop.example", partner_id=1, partner_key="k", shop_id=1)
    http = HttpClient(transport=httpx.MockTransport(ended))
    with pytest.raises(PlatformCallFailed, match="ConnectionEnded") as failure:
        await ShopeeTransport(account, http, shopee.clock.now).spend_code("x")
    assert failure.value.error.error_class is ErrorClass.NETWORK


async def test_a_create_whose_answer_was_lost_is_taken_up_by_the_next(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    shopee.fail(Fault(kind="lost_answer", path="product/add_item"))
    with pytest.raises(PlatformCallFailed):
        await connector.create(draft(), "key")
    created = await connector.create(draft(), "key")
    assert created.found
    assert set(created.variants) == {variant.sku for variant in draft().variants}
    assert len(shopee.shop.state.items) == 1
    assert len(next(iter(shopee.shop.state.items.values())).models) == 4


async def test_variants_are_made_as_soon_as_the_shop_knows_the_new_item(start_shopee: StartShopee) -> None:
    async with start_shopee(SimulatorConfig(new_item_delay=4.0)) as shopee:
        connector = await shopee.connector()
        created = await connector.create(draft(), "key")
        assert len(created.variants) == 4
        assert shopee.shop.errors["error_item_not_found"] > 1


async def test_nothing_can_be_bought_before_the_variants_are_there(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    shopee.fail(Fault(kind="http_500", path="init_tier_variation"))
    with pytest.raises(PlatformCallFailed):
        await connector.create(draft(), "key")
    (item,) = shopee.shop.listed()
    assert [model.stock for model in item.models] == [0]
    assert len((await connector.create(draft(), "key")).variants) == 4


async def test_a_category_that_is_not_shopees_is_refused_before_anything_is_made(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.create(msgspec.structs.replace(draft(), category_id="batik"), "key")
    assert failure.value.error.hint == "category_refused"
    assert not shopee.shop.state.items


async def test_a_sku_on_two_listings_is_left_to_a_person(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    for item in seed(shopee.shop, 2):
        item.sku = "KOPI"
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.create(draft("KOPI"), "key")
    assert failure.value.error.error_class is ErrorClass.CONFLICT


async def test_short_pages_and_failing_pages_lose_no_listing(shopee: RunningShopee) -> None:
    seed(shopee.shop, 250)
    connector = await shopee.connector()
    shopee.fail(Fault(kind="short_page", path="get_item_list", where={"offset": "100"}))
    shopee.fail(Fault(kind="http_500", path="get_item_list", where={"offset": "199"}))
    seen: list[str] = []
    cursor = None
    failed = 0
    while True:
        try:
            page = await connector.list_listings(cursor)
        except PlatformCallFailed:
            failed += 1
            continue
        seen += [item.external_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert failed == 1
    assert len(seen) == len(set(seen)) == 250


async def test_only_listings_updated_since_are_listed_and_price_edits_do_not_count(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    stocked, priced, _ = seed(shopee.shop, 3)
    shopee.clock.ahead += 100
    since = shopee.clock.now()
    shopee.clock.ahead += 10
    shopee.shop.set_stock(stocked, stocked.models[0], 3)
    shopee.shop.set_price(priced, priced.models[0], 90_000)
    page = await connector.list_listings(updated_since=since)
    assert [item.external_id for item in page.items] == [str(stocked.item_id)]


async def test_pushes_of_more_rows_than_a_call_takes_are_split_and_all_accounted_for(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    ghosts = tuple(PriceChange(str(10**12 + number), f"GHOST-{number}", 1_000) for number in range(119))
    result = await connector.update_prices(external_id, (change, *ghosts))
    assert shopee.shop.calls[PRICE] == 3
    assert [row.sku for row in result.accepted] == [change.sku]
    assert {row.error.error_class for row in result.refused} == {ErrorClass.MISSING}
    assert len(result.refused) == 119


async def test_rows_proven_before_a_failing_call_are_not_lost(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    ghosts = tuple(PriceChange(str(10**12 + number), f"GHOST-{number}", 1_000) for number in range(60))

    async def fail_the_second_call() -> None:
        while shopee.shop.calls[PRICE] == 0:
            await asyncio.sleep(0)
        shopee.fail(Fault(kind="http_500", path=PRICE))

    shopee.simulator.api.faults.latency_ms = 20
    pushing = asyncio.create_task(connector.update_prices(external_id, (change, *ghosts)))
    await fail_the_second_call()
    result = await pushing
    assert [row.sku for row in result.accepted] == [change.sku]
    assert [row.error.error_class for row in result.refused].count(ErrorClass.SERVER) == 11


async def test_a_price_on_a_deleted_listing_is_not_believed_to_be_temporary(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    shopee.shop.set_status(shopee.shop.state.items[int(external_id)], "SELLER_DELETE")
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.update_prices(external_id, (change,))
    assert failure.value.error.error_class is ErrorClass.UNKNOWN
    assert failure.value.error.hint == "reread_listing"


async def test_holiday_mode_holds_stock(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, change = await first_listing(shopee, connector)
    shopee.shop.state.holiday = True
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.update_stock(external_id, (StockChange(change.external_variant_id, change.sku, 1),))
    assert (failure.value.error.error_class, failure.value.error.hint) == (ErrorClass.LOCKED, "holiday_mode")


async def test_a_picture_is_uploaded_once_and_ids_are_taken_as_they_are(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    external_id, _ = await first_listing(shopee, connector)
    images = (Image("https://images.example/1.jpg"), Image("sg-seed-1"))
    for _ in range(2):
        await connector.update_content(external_id, ContentChange(images=images))
    assert shopee.shop.calls["media_space/upload_image"] == 1
    uploaded, kept = shopee.shop.state.items[int(external_id)].images
    assert kept == "sg-seed-1"
    assert shopee.shop.state.images[uploaded].startswith(b"\x89PNG")


async def test_something_that_is_no_picture_is_refused(shopee: RunningShopee) -> None:
    class Pages:
        async def fetch(self, url: str) -> bytes:
            return b"<html>not found</html>"

    connector = await shopee.connector(Pages())
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.create(draft(), "key")
    assert failure.value.error.error_class is ErrorClass.VALID


async def test_an_id_that_is_not_shopees_is_missing_without_a_call(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.set_listed("gid://shopify/1", listed=True)
    assert failure.value.error.error_class is ErrorClass.MISSING


async def test_a_throttled_connection_rests_without_calling(shopee: RunningShopee) -> None:
    connector = await shopee.connector()
    fault = Fault(kind="error", path=PRICE, error="error_rate_limit")
    assert await failure_of(shopee, connector, fault) == (ErrorClass.RATE, "error_rate_limit")
    before = shopee.shop.calls.total()
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.list_listings()
    assert failure.value.error.code == "own_pace"
    assert shopee.shop.calls.total() == before


async def test_nothing_logged_shows_the_token(shopee: RunningShopee, caplog: pytest.LogCaptureFixture) -> None:
    connector = await shopee.connector()
    with caplog.at_level(logging.INFO):
        await connector.list_listings()
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    assert "get_item_list" in logged
    for token in shopee.shop.state.access_tokens:
        assert token.value not in logged


def answering(content: object) -> ShopeeConnector:
    """A connector whose shop answers every call with this response."""
    clock = MovableClock()
    body = msgspec.json.encode({"error": "", "message": "", "request_id": "1", "response": content})
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    account = ShopeeAccount(host="https://shop.example", partner_id=1, partner_key="k", shop_id=1)
    transport = ShopeeTransport(account, http, clock.now)
    tokens = Tokens(access_token="a", refresh_token="r", expires_at=clock.now())
    source = RotatingTokens(MemoryVault(tokens), transport.spend_refresh_token, clock.now)
    session = ShopeeSession(transport, source, Pace(1000))
    return ShopeeConnector(session, DrawnImages(), clock.now, close=http.aclose)


async def test_a_row_that_the_answer_does_not_speak_of_is_not_a_success() -> None:
    connector = answering({"success_list": [{"model_id": 11, "original_price": 1000}], "failure_list": []})
    result = await connector.update_prices("1", (PriceChange("11", "A", 1000), PriceChange("12", "B", 1000)))
    assert [row.sku for row in result.accepted] == ["A"]
    assert [(row.sku, row.error.code) for row in result.refused] == [("B", "no_proof")]
    await connector.aclose()


async def test_what_counts_is_the_value_that_the_shop_has_taken() -> None:
    connector = answering({"success_list": [{"model_id": 11, "original_price": 1000.5}]})
    result = await connector.update_prices("1", (PriceChange("11", "A", 1000),))
    assert [row.value_now for row in result.accepted] == [1001]
    await connector.aclose()


async def test_a_page_that_promises_more_without_saying_where_is_a_failing_platform() -> None:
    connector = answering({"item": [], "has_next_page": True})
    with pytest.raises(PlatformCallFailed) as failure:
        await connector.list_listings()
    assert failure.value.error.error_class is ErrorClass.SERVER
    await connector.aclose()
