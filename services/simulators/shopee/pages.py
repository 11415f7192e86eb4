"""The seller's pages: what a person does at the shop, in plain forms."""

from collections.abc import Callable
from typing import Final

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from services.simulators.shopee import html
from services.simulators.shopee.calls import Limits
from services.simulators.shopee.shop import Item, Model, Shop
from services.simulators.shopee.simulator import Simulator

Form = URLEncodedBody[dict[str, str]]

PAGE = 50
LIMITS = Limits()


class Mistake(Exception):
    """What the person entered cannot be done; the text tells them why."""


def handlers(simulator: Simulator) -> list[HTTPRouteHandler]:
    return [*_goods_handlers(simulator), *_shop_handlers(simulator)]


def _goods_handlers(simulator: Simulator) -> list[HTTPRouteHandler]:
    shop = simulator.shop

    @get("/seller", sync_to_thread=False)
    def goods(q: FromQuery[str] = "", page: FromQuery[int] = 1) -> Response[str]:
        wanted = q.casefold().strip()
        found = [item for item in shop.listed() if not item.deleted and _matches(item, wanted)]
        page = max(1, page)
        shown = found[(page - 1) * PAGE : page * PAGE]
        return _page(simulator, "Produk Saya", html.goods(shown, len(found), q, page, PAGE))

    @get("/seller/items/{item_id:int}", sync_to_thread=False)
    def item_page(item_id: FromPath[int], ok: FromQuery[str] = "", gagal: FromQuery[str] = "") -> Response[str]:
        item = _item(shop, item_id)
        return _page(simulator, item.name, html.notice(ok, gagal) + html.item(item))

    @post("/seller/items/{item_id:int}", status_code=303, sync_to_thread=False)
    def edit(item_id: FromPath[int], data: Form) -> Redirect:
        item = _item(shop, item_id)
        try:
            return _back(f"/seller/items/{item_id}", ok=_edit(shop, item, data))
        except Mistake as mistake:
            return _back(f"/seller/items/{item_id}", gagal=str(mistake))

    return [goods, item_page, edit]


def _shop_handlers(simulator: Simulator) -> list[HTTPRouteHandler]:
    shop = simulator.shop

    @get("/", sync_to_thread=False)
    def home() -> Redirect:
        return Redirect("/seller")

    @get("/seller/orders", sync_to_thread=False)
    def orders(gagal: FromQuery[str] = "") -> Response[str]:
        return _page(simulator, "Pesanan", html.notice("", gagal) + html.orders(shop.state))

    @post("/seller/orders/{order_sn:str}", status_code=303, sync_to_thread=False)
    def move_order(order_sn: FromPath[str], data: Form) -> Redirect:
        order = shop.state.orders.get(order_sn)
        if order is None:
            raise NotFoundException("Pesanan tidak ditemukan.")
        move = shop.ship_order if data.get("action") == "ship" else shop.cancel_order
        try:
            move(order)
        except ValueError:
            return _back("/seller/orders", gagal="Pesanan sudah selesai.")
        return _back("/seller/orders")

    @post("/seller/holiday", status_code=303, sync_to_thread=False)
    def holiday() -> Redirect:
        shop.state.holiday = not shop.state.holiday
        shop.revision += 1
        return _back("/seller")

    @get("/seller/calls", sync_to_thread=False)
    def calls() -> Response[str]:
        return _page(simulator, "Panggilan API", html.calls(shop))

    return [home, orders, move_order, holiday, calls]


def _back(path: str, **notice: str) -> Redirect:
    return Redirect(path, query_params=notice or None, status_code=303)


def _page(simulator: Simulator, title: str, content: str) -> Response[str]:
    body = html.page(title, simulator.config.shop_name, simulator.shop.state.holiday, content)
    return Response(body, media_type="text/html")


def _item(shop: Shop, item_id: int) -> Item:
    item = shop.state.items.get(item_id)
    if item is None:
        raise NotFoundException("Produk tidak ditemukan.")
    return item


def _matches(item: Item, wanted: str) -> bool:
    texts = [item.name, item.sku, str(item.item_id), *(model.sku for model in item.models)]
    return not wanted or any(wanted in text.casefold() for text in texts)


def _edit(shop: Shop, item: Item, data: dict[str, str]) -> str:
    """Carry out what the form asks for and say so. Raises `Mistake`."""
    action = data.get("action", "")
    if action == "title":
        title = data.get("title", "").strip()
        if not LIMITS.name_min <= len(title) <= LIMITS.name_max:
            raise Mistake(f"Nama produk harus {LIMITS.name_min} sampai {LIMITS.name_max} karakter.")
        item.name = title
        shop.touch(item)
        return "Nama produk disimpan."
    if action in ("NORMAL", "UNLIST", "BANNED"):
        shop.set_status(item, action)
        return "Status produk diubah."
    model = item.model(_whole(data.get("model_id", "")))
    if model is None:
        raise Mistake("Varian tidak ditemukan.")
    if action not in MODEL_ACTIONS:
        raise Mistake("Tindakan tidak dikenal.")
    return MODEL_ACTIONS[action](shop, item, model, data)


def _price(shop: Shop, item: Item, model: Model, data: dict[str, str]) -> str:
    price = _whole(data.get("price", ""))
    prices = [price, *(other.price for other in item.models if other is not model)]
    if not LIMITS.price_min <= price <= LIMITS.price_max:
        raise Mistake(f"Harga harus antara {html.rupiah(LIMITS.price_min)} dan {html.rupiah(LIMITS.price_max)}.")
    if model.price_locked:
        raise Mistake("Harga tidak dapat diubah selama promosi.")
    if max(prices) > LIMITS.price_spread * min(prices):
        raise Mistake("Harga varian tertinggi paling banyak 7 kali harga terendah.")
    shop.set_price(item, model, price)
    return f"Harga sekarang {html.rupiah(price)}."


def _stock(shop: Shop, item: Item, model: Model, data: dict[str, str]) -> str:
    stock = _whole(data.get("stock", ""))
    if not model.reserved <= stock <= LIMITS.stock_max:
        raise Mistake(f"Stok harus antara {model.reserved} (sudah dipesan) dan {LIMITS.stock_max}.")
    shop.set_stock(item, model, stock)
    return f"Stok sekarang {stock}."


def _price_lock(shop: Shop, _: Item, model: Model, __: dict[str, str]) -> str:
    model.price_locked = not model.price_locked
    shop.revision += 1
    return "Promosi dimulai, harga terkunci." if model.price_locked else "Promosi berakhir, harga terbuka."


def _stock_lock(shop: Shop, _: Item, model: Model, __: dict[str, str]) -> str:
    model.stock_locked = not model.stock_locked
    shop.revision += 1
    return "Stok dikunci untuk promosi." if model.stock_locked else "Stok terbuka lagi."


def _order(shop: Shop, item: Item, model: Model, data: dict[str, str]) -> str:
    quantity = _whole(data.get("quantity", ""))
    try:
        order = shop.place_order(item, model, quantity)
    except ValueError:
        left = model.stock - model.reserved
        raise Mistake(f"Tidak dapat memesan {quantity}; tersedia {left} dan produk harus aktif.") from None
    return f"Pesanan {order.order_sn} masuk."


MODEL_ACTIONS: Final[dict[str, Callable[[Shop, Item, Model, dict[str, str]], str]]] = {
    "price": _price,
    "stock": _stock,
    "price_lock": _price_lock,
    "stock_lock": _stock_lock,
    "order": _order,
}


def _whole(text: str) -> int:
    """Accepts 189000, 189.000 and Rp 189.000. Raises `Mistake`."""
    digits = text.replace("Rp", "").replace(".", "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise Mistake(f"{text!r} bukan bilangan bulat.")
    return int(digits)
