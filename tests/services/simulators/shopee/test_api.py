import time
from typing import Any

import httpx
import pytest

from infrastructure.platforms.shopee.signing import sign_shop
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.seed import seed
from services.simulators.shopee.server import serve
from tests.plugins.shopee_simulator import RunningShopee, StartShopee

LIST = "/api/v2/product/get_item_list"
PAGE = (("offset", "0"), ("page_size", "10"), ("item_status", "NORMAL"))


class Caller:
    """Calls the API by hand, so that any part of a call can be wrong."""

    def __init__(self, shopee: RunningShopee, access_token: str) -> None:
        self.shopee = shopee
        self.access_token = access_token

    def credential(self, path: str, **other: Any) -> dict[str, str]:
        config = self.shopee.simulator.config
        parts: dict[str, Any] = {
            "partner_id": config.partner_id,
            "timestamp": int(self.shopee.clock.seconds()),
            "access_token": self.access_token,
            "shop_id": config.shop_id,
        }
        parts |= other
        sign = sign_shop(path=path, partner_key=config.partner_key, **parts)
        return {name: str(value) for name, value in parts.items()} | {"sign": sign}

    async def get(self, path: str, *query: tuple[str, str], **other: Any) -> dict[str, Any]:
        return await self.send("GET", path, [*self.credential(path, **other).items(), *query])

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        return await self.send("POST", path, list(self.credential(path).items()), body)

    async def send(self, method: str, path: str, query: list[tuple[str, str]], body: Any = None) -> dict[str, Any]:
        response = await self.shopee.http.request(
            method, self.shopee.url + path, params=httpx.QueryParams(tuple(query)), json=body
        )
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
async def caller(shopee: RunningShopee) -> Caller:
    tokens = await shopee.transport.spend_code(shopee.simulator.config.first_code)
    return Caller(shopee, tokens.access_token)


async def test_a_good_call_has_an_empty_error_and_its_content_in_response(caller: Caller) -> None:
    seed(caller.shopee.shop, 3)
    answer = await caller.get(LIST, *PAGE)
    assert answer["error"] == ""
    assert answer["response"]["total_count"] == 3


@pytest.mark.parametrize("name", ["partner_id", "timestamp", "sign"])
async def test_a_missing_credential_is_named(caller: Caller, name: str) -> None:
    query = [(key, value) for key, value in caller.credential(LIST).items() if key != name]
    answer = await caller.send("GET", LIST, query)
    assert answer["error"] == "error_param"
    assert name in answer["message"]


@pytest.mark.parametrize(("seconds", "error"), [(-290, ""), (290, ""), (-310, "error_param"), (310, "error_param")])
async def test_a_signature_is_good_for_five_minutes(caller: Caller, seconds: int, error: str) -> None:
    answer = await caller.get(LIST, *PAGE, timestamp=int(time.time()) + seconds)
    assert answer["error"] == error


async def test_checks_come_in_the_order_app_clock_signature_token_shop(caller: Caller) -> None:
    wrong: dict[str, Any] = {"shop_id": 1}
    assert (await caller.get(LIST, **wrong))["error"] == "error_param_shop_id_not_found"
    wrong |= {"access_token": "x"}
    assert (await caller.get(LIST, **wrong))["error"] == "error_auth"
    broken = caller.credential(LIST, **wrong) | {"sign": "0" * 64}
    assert (await caller.send("GET", LIST, list(broken.items())))["error"] == "error_sign"
    assert (await caller.send("GET", LIST, list((broken | {"timestamp": "1"}).items())))["error"] == "error_param"
    assert (await caller.send("GET", LIST, list((broken | {"partner_id": "1"}).items())))[
        "error"
    ] == "invalid_partner_id"


async def test_an_access_token_lives_four_hours(caller: Caller) -> None:
    caller.shopee.clock.ahead += 4 * 3600 - 5
    assert (await caller.get(LIST, *PAGE))["error"] == ""
    caller.shopee.clock.ahead += 10
    answer = await caller.get(LIST, *PAGE)
    assert (answer["error"], answer["message"]) == ("error_auth", "Invalid access_token.")


async def test_a_refreshed_access_token_works_for_five_more_minutes_and_the_refresh_token_never_again(
    caller: Caller,
) -> None:
    shopee = caller.shopee
    used = shopee.shop.state.refresh_token
    assert used is not None
    await shopee.transport.spend_refresh_token(used.value)
    shopee.clock.ahead += 290
    assert (await caller.get(LIST, *PAGE))["error"] == ""
    shopee.clock.ahead += 20
    assert (await caller.get(LIST, *PAGE))["error"] == "error_auth"
    with pytest.raises(Exception, match=r"Invalid refresh_token\."):
        await shopee.transport.spend_refresh_token(used.value)


async def test_a_code_works_once(caller: Caller) -> None:
    with pytest.raises(Exception, match="invalid_code"):
        await caller.shopee.transport.spend_code(caller.shopee.simulator.config.first_code)


@pytest.mark.parametrize("size", ["0", "101", "x", "-1"])
async def test_a_page_has_between_1_and_100_rows(caller: Caller, size: str) -> None:
    answer = await caller.get(LIST, ("offset", "0"), ("page_size", size), ("item_status", "NORMAL"))
    assert answer["error"] == "error_param"


async def test_at_most_50_items_are_read_at_once(caller: Caller) -> None:
    ids = ",".join(str(item.item_id) for item in seed(caller.shopee.shop, 51))
    path = "/api/v2/product/get_item_base_info"
    assert (await caller.get(path, ("item_id_list", ids)))["error"] == "error_query_over_itemid_size"


async def test_a_price_with_tax_stands_beside_the_sellers_own(caller: Caller) -> None:
    seed(caller.shopee.shop, 2)
    item = list(caller.shopee.shop.listed())[1]
    path = "/api/v2/product/get_item_base_info"
    answer = await caller.get(path, ("item_id_list", str(item.item_id)))
    (price,) = answer["response"]["item_list"][0]["price_info"]
    assert price["original_price"] == 87_000
    assert price["inflated_price_of_original_price"] == 96_570


@pytest.mark.parametrize("body", [{}, [], {"item_id": "x"}, {"item_id": 1, "price_list": []}, None])
async def test_a_body_of_another_shape_is_refused(caller: Caller, body: Any) -> None:
    assert (await caller.post("/api/v2/product/update_price", body))["error"] == "error_param"


async def test_models_of_an_item_are_added_renamed_and_dropped(caller: Caller) -> None:
    (item,) = seed(caller.shopee.shop, 1)
    item.models = item.models[:5]
    row = {"tier_index": [1, 2], "original_price": 190_000, "model_sku": "NEW", "seller_stock": [{"stock": 4}]}
    added = await caller.post("/api/v2/product/add_model", {"item_id": item.item_id, "model_list": [row]})
    model_id = added["response"]["model"][0]["model_id"]
    edit = {"item_id": item.item_id, "model": [{"model_id": model_id, "model_sku": "NEWER"}]}
    assert (await caller.post("/api/v2/product/update_model", edit))["error"] == ""
    models = await caller.get("/api/v2/product/get_model_list", ("item_id", str(item.item_id)))
    assert [model["model_sku"] for model in models["response"]["model"]][-1] == "NEWER"
    again = await caller.post("/api/v2/product/add_model", {"item_id": item.item_id, "model_list": [row]})
    assert again["error"] == "error_model_duplicate_tier_variation_index"
    drop = {"item_id": item.item_id, "model_id": model_id}
    assert (await caller.post("/api/v2/product/delete_model", drop))["error"] == ""
    assert len(item.models) == 5


async def test_the_shop_tells_its_categories_limits_channels_and_promotions(caller: Caller) -> None:
    (item,) = seed(caller.shopee.shop, 1)
    item.models[0].price_locked = True
    categories = await caller.get("/api/v2/product/get_category", ("language", "id"))
    assert 100017 in {row["category_id"] for row in categories["response"]["category_list"]}
    limits = await caller.get("/api/v2/product/get_item_limit", ("category_id", "100017"))
    assert limits["response"]["item_name_length_limit"] == {"min_limit": 5, "max_limit": 255}
    channels = await caller.get("/api/v2/logistics/get_channel_list")
    assert [row["enabled"] for row in channels["response"]["logistics_channel_list"]] == [True, True, False]
    promotions = await caller.get("/api/v2/product/get_item_promotion", ("item_id_list", str(item.item_id)))
    (row,) = promotions["response"]["success_list"][0]["promotion"]
    assert row["model_id"] == item.models[0].model_id


async def test_orders_are_listed_within_fifteen_days(caller: Caller) -> None:
    shop = caller.shopee.shop
    (item,) = seed(shop, 1)
    order = shop.place_order(item, item.models[0], 2)
    path = "/api/v2/order/get_order_list"
    now = int(caller.shopee.clock.seconds())
    span = (("time_range_field", "create_time"), ("time_from", str(now - 60)), ("time_to", str(now + 60)))
    answer = await caller.get(path, ("page_size", "10"), *span)
    assert [row["order_sn"] for row in answer["response"]["order_list"]] == [order.order_sn]
    long = (("time_range_field", "create_time"), ("time_from", "0"), ("time_to", str(now)))
    assert (await caller.get(path, ("page_size", "10"), *long))["error"] == "error_param"


async def test_deleting_an_item_under_promotion_is_refused(caller: Caller) -> None:
    (item,) = seed(caller.shopee.shop, 1)
    item.models[0].price_locked = True
    path = "/api/v2/product/delete_item"
    assert (await caller.post(path, {"item_id": item.item_id}))["error"] == "error_cannt_delete_in_promotion"
    item.models[0].price_locked = False
    assert (await caller.post(path, {"item_id": item.item_id}))["error"] == ""
    assert item.status == "SELLER_DELETE"


async def test_too_many_calls_within_a_second_are_throttled(start_shopee: StartShopee) -> None:
    async with start_shopee(SimulatorConfig(rate_per_second=3, throttle_status=429)) as shopee:
        shopee.clock.stop()
        tokens = await shopee.transport.spend_code(shopee.simulator.config.first_code)
        caller = Caller(shopee, tokens.access_token)
        errors = [(await caller.get(LIST, *PAGE))["error"] for _ in range(3)]
        assert errors == ["", "", "error_rate_limit"]
        shopee.clock.ahead += 1.1
        assert (await caller.get(LIST, *PAGE))["error"] == ""


async def test_a_daily_quota_ends_at_midnight_in_singapore(start_shopee: StartShopee) -> None:
    async with start_shopee(SimulatorConfig(daily_quota=2, access_token_life=200_000)) as shopee:
        tokens = await shopee.transport.spend_code(shopee.simulator.config.first_code)
        caller = Caller(shopee, tokens.access_token)
        assert (await caller.get(LIST, *PAGE))["error"] == ""
        assert (await caller.get(LIST, *PAGE))["error"] == "error_limit"
        shopee.clock.ahead += 86_400
        assert (await caller.get(LIST, *PAGE))["error"] == ""


async def test_the_switches_work_over_http(caller: Caller) -> None:
    http, url = caller.shopee.http, caller.shopee.url
    assert len((await http.post(f"{url}/_simulator/seed?n=4")).json()["item_ids"]) == 4
    fault = {"kind": "error", "error": "error_inner", "path": "get_item_list"}
    assert (await http.post(f"{url}/_simulator/faults", json={"faults": [fault]})).status_code == 200
    assert (await caller.get(LIST, *PAGE))["error"] == "error_inner"
    assert (await caller.get(LIST, *PAGE))["error"] == ""
    state = (await http.get(f"{url}/_simulator/state")).json()
    assert len(state["items"]) == 4
    assert state["calls"]["product/get_item_list"] == 2
    assert state["errors"] == {"error_inner": 1}
    pair = (await http.post(f"{url}/_simulator/authorise")).json()
    assert (await Caller(caller.shopee, pair["access_token"]).get(LIST, *PAGE))["error"] == ""
    assert (await http.post(f"{url}/_simulator/faults", json={"faults": [{"kind": "x"}]})).status_code == 400


async def test_the_simulator_is_not_offered_to_others() -> None:
    with pytest.raises(ValueError, match="loopback"):
        await serve(SimulatorConfig(), "0.0.0.0", 0)
