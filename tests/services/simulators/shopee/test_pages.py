from pathlib import Path

import pytest

from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.seed import seed
from services.simulators.shopee.server import create_app
from services.simulators.shopee.shop import Item
from services.simulators.shopee.snapshot import SnapshotUnreadable
from tests.plugins.shopee_simulator import RunningShopee, StartShopee


async def submit(shopee: RunningShopee, item: Item, **form: str) -> str:
    """The page that a person sees after pressing a button of the first variant."""
    fields = {"model_id": str(item.models[0].model_id), **form}
    response = await shopee.http.post(f"{shopee.url}/seller/items/{item.item_id}", data=fields, follow_redirects=True)
    assert response.status_code == 200
    return response.text


async def test_goods_are_found_by_name_and_sku(shopee: RunningShopee) -> None:
    seed(shopee.shop, 120)
    page = (await shopee.http.get(f"{shopee.url}/seller?q=SIM-00002")).text
    assert "Kopi Arabika Gayo" in page
    assert "1 produk" in page
    whole = (await shopee.http.get(f"{shopee.url}/seller?page=2")).text
    assert "120 produk" in whole
    assert "Sebelumnya" in whole
    assert "Berikutnya" in whole


@pytest.mark.parametrize("text", ["210000", "210.000", "Rp 210.000"])
async def test_a_person_changes_a_price(shopee: RunningShopee, text: str) -> None:
    (item,) = seed(shopee.shop, 1)
    assert "Rp 210.000" in await submit(shopee, item, action="price", price=text)
    assert item.models[0].price == 210_000


@pytest.mark.parametrize("text", ["", "abc", "-5", "1,5", "99", "9999999", "9" * 30])
async def test_a_price_that_cannot_be_is_explained(shopee: RunningShopee, text: str) -> None:
    (item,) = seed(shopee.shop, 1)
    before = item.models[0].price
    assert 'role="alert"' in await submit(shopee, item, action="price", price=text)
    assert item.models[0].price == before


async def test_a_promotion_locks_the_price(shopee: RunningShopee) -> None:
    (item,) = seed(shopee.shop, 1)
    await submit(shopee, item, action="price_lock")
    assert "selama promosi" in await submit(shopee, item, action="price", price="200000")
    await submit(shopee, item, action="price_lock")
    await submit(shopee, item, action="price", price="200000")
    assert item.models[0].price == 200_000


async def test_stock_title_and_status_can_be_changed(shopee: RunningShopee) -> None:
    (item,) = seed(shopee.shop, 1)
    await submit(shopee, item, action="stock", stock="7")
    await submit(shopee, item, action="title", title="Kemeja <Batik> & Co")
    page = await submit(shopee, item, action="UNLIST")
    assert (item.models[0].stock, item.name, item.status) == (7, "Kemeja <Batik> & Co", "UNLIST")
    assert "Kemeja &lt;Batik&gt; &amp; Co" in page
    assert 'role="alert"' in await submit(shopee, item, action="title", title="x")
    assert 'role="alert"' in await submit(shopee, item, action="nothing")
    assert 'role="alert"' in await submit(shopee, item, action="stock", stock="1", model_id="5")


async def test_an_order_is_taken_shipped_and_cannot_exceed_what_is_there(shopee: RunningShopee) -> None:
    (item,) = seed(shopee.shop, 1)
    model = item.models[0]
    stock = model.stock
    await submit(shopee, item, action="order", quantity="2")
    assert (model.stock, model.reserved) == (stock, 2)
    assert 'role="alert"' in await submit(shopee, item, action="order", quantity=str(stock))
    (order,) = shopee.shop.state.orders.values()
    url = f"{shopee.url}/seller/orders/{order.order_sn}"
    page = await shopee.http.post(url, data={"action": "ship"}, follow_redirects=True)
    assert "Dikirim" in page.text
    assert (model.stock, model.reserved) == (stock - 2, 0)
    again = await shopee.http.post(url, data={"action": "cancel"}, follow_redirects=True)
    assert "sudah selesai" in again.text
    assert (await shopee.http.post(f"{shopee.url}/seller/orders/none", data={"action": "ship"})).status_code == 404


async def test_a_cancelled_order_gives_its_reservation_back(shopee: RunningShopee) -> None:
    (item,) = seed(shopee.shop, 1)
    order = shopee.shop.place_order(item, item.models[0], 2)
    stock = item.models[0].stock
    await shopee.http.post(f"{shopee.url}/seller/orders/{order.order_sn}", data={"action": "cancel"})
    assert (item.models[0].stock, item.models[0].reserved, order.status) == (stock, 0, "CANCELLED")


async def test_holiday_calls_and_unknown_goods(shopee: RunningShopee) -> None:
    await shopee.http.post(f"{shopee.url}/seller/holiday")
    assert shopee.shop.state.holiday
    await shopee.connector()
    assert "auth/token/get" in (await shopee.http.get(f"{shopee.url}/seller/calls")).text
    assert "Belum ada pesanan" in (await shopee.http.get(f"{shopee.url}/seller/orders")).text
    assert (await shopee.http.get(f"{shopee.url}/seller/items/1")).status_code == 404
    assert (await shopee.http.get(f"{shopee.url}/", follow_redirects=True)).url.path == "/seller"


async def test_a_restarted_simulator_is_the_same_shop(start_shopee: StartShopee, tmp_path: Path) -> None:
    config = SimulatorConfig(snapshot=tmp_path / "shop.json")
    async with start_shopee(config) as shopee:
        await shopee.connector()
        (item,) = seed(shopee.shop, 1)
        shopee.shop.place_order(item, item.models[0], 2)
        before = shopee.shop.state
    async with start_shopee(config) as shopee:
        assert shopee.shop.state == before


def test_a_file_that_is_no_snapshot_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    file.write_text("{")
    with pytest.raises(SnapshotUnreadable, match=r"shop\.json"):
        create_app(SimulatorConfig(snapshot=file))
