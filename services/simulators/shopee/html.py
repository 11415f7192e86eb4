"""The seller's pages as HTML text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Final
from urllib.parse import urlencode

from services.simulators.shopee.shop import Item, Model, Shop, State

_WIB: Final = timezone(timedelta(hours=7))

_STATUS: Final = {
    "NORMAL": "Aktif",
    "UNLIST": "Diarsipkan",
    "BANNED": "Diblokir",
    "REVIEWING": "Ditinjau",
    "SELLER_DELETE": "Dihapus",
    "SHOPEE_DELETE": "Dihapus Shopee",
}

_ORDER_STATUS: Final = {"READY_TO_SHIP": "Perlu dikirim", "SHIPPED": "Dikirim", "CANCELLED": "Dibatalkan"}

_STYLE: Final = """
:root{--o:#c8391b;--l:#e3e0dc;--t:#2b2724}*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--t);background:#f7f5f3}
header{background:var(--o);color:#fff;padding:.8rem 1.5rem;display:flex;gap:1.5rem;align-items:center;flex-wrap:wrap}
header a{color:#fff}header b{font-size:1.1rem}header form{margin-left:auto}
main{max-width:70rem;margin:1.5rem auto;padding:0 1rem}h1{font-size:1.4rem;margin:.2rem 0 1rem}
section{background:#fff;border:1px solid var(--l);border-radius:8px;padding:1rem;margin-bottom:1rem;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid var(--l);vertical-align:middle}
th{font-weight:600;color:#6a635d;font-size:.85rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
input{font:inherit;padding:.3rem .5rem;border:1px solid #b9b3ad;border-radius:5px;width:8rem}
input.w{width:min(36rem,100%)}input.s{width:4.5rem}
button{font:inherit;padding:.3rem .8rem;border:1px solid var(--o);background:#fff;color:var(--o);
border-radius:5px;cursor:pointer}
button.p{background:var(--o);color:#fff}td form,.row{display:flex;gap:.4rem;align-items:center;flex-wrap:wrap}
.ok,.no{padding:.6rem 1rem;border-radius:8px;margin-bottom:1rem}.ok{background:#e3f3e6;color:#145a24}
.no{background:#fbe4df;color:#8d1f09}.muted{color:#6a635d}
.tag{border:1px solid currentColor;border-radius:9px;padding:0 .5rem;font-size:.8rem}
"""


def page(title: str, shop_name: str, holiday: bool, content: str) -> str:
    state = "Toko sedang libur" if holiday else "Toko buka"
    switch = "Akhiri libur" if holiday else "Mulai libur"
    return f"""<!doctype html><html lang="id"><head><meta charset="utf-8">
<title>{escape(title)} - simulasi Shopee</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><header>
<b>{escape(shop_name)}</b><span>simulasi Shopee</span><nav class="row"><a href="/seller">Produk</a>
<a href="/seller/orders">Pesanan</a><a href="/seller/calls">Panggilan API</a></nav>
<form method="post" action="/seller/holiday" class="row"><span>{state}</span><button>{switch}</button></form></header>
<main><h1>{escape(title)}</h1>{content}</main></body></html>"""


def notice(ok: str, failed: str) -> str:
    done = f'<p class="ok" role="status">{escape(ok)}</p>' if ok else ""
    return done + (f'<p class="no" role="alert">{escape(failed)}</p>' if failed else "")


def goods(items: list[Item], count: int, query: str, number: int, size: int) -> str:
    rows = "".join(
        f'<tr><td><a href="/seller/items/{item.item_id}">{escape(item.name)}</a><br>'
        f'<span class="muted">{item.item_id}</span></td><td>{escape(item.sku)}</td>'
        f'<td class="n">{_price_range(item)}</td>'
        f'<td class="n">{sum(model.stock - model.reserved for model in item.models)}</td>'
        f'<td class="n">{len(item.models)}</td>'
        f"<td>{_STATUS.get(item.status, item.status)}</td></tr>"
        for item in items
    )
    links = []
    if number > 1:
        links.append(f'<a href="/seller?{escape(urlencode({"q": query, "page": number - 1}))}">Sebelumnya</a>')
    if number * size < count:
        links.append(f'<a href="/seller?{escape(urlencode({"q": query, "page": number + 1}))}">Berikutnya</a>')
    return f"""<section><form method="get" class="row"><label for="q">Cari nama, SKU atau nomor</label>
<input class="w" id="q" name="q" value="{escape(query)}"><button class="p">Cari</button></form></section>
<section><p class="muted">{count} produk</p><table><thead><tr><th>Produk</th><th>SKU induk</th><th class="n">Harga</th>
<th class="n">Stok tersedia</th><th class="n">Varian</th><th>Status</th></tr></thead><tbody>{rows}</tbody></table>
<p class="row">{"".join(links)}</p></section>"""


def item(item: Item) -> str:
    rows = "".join(_model_row(item, model) for model in item.models)
    buttons = "".join(
        f'<button name="action" value="{status}">{label}</button>'
        for status, label in (("NORMAL", "Aktifkan"), ("UNLIST", "Arsipkan"), ("BANNED", "Blokir"))
        if status != item.status
    )
    return f"""<section><form method="post" class="row"><label for="title">Nama produk</label>
<input class="w" id="title" name="title" value="{escape(item.name)}">
<button class="p" name="action" value="title">Simpan</button>
</form><p>{escape(item.description)}</p><p class="muted">Nomor {item.item_id}, SKU induk {escape(item.sku) or "-"},
berat {escape(item.weight)} kg, diubah {_when(item.update_time)}</p>
<form method="post" class="row">
<span class="tag">{_STATUS.get(item.status, item.status)}</span>{buttons}</form></section>
<section><table><thead><tr><th>Varian</th><th>Harga</th><th>Stok</th><th class="n">Dipesan</th><th>Promosi</th>
<th>Pembeli</th></tr></thead><tbody>{rows}</tbody></table></section>"""


def orders(state: State) -> str:
    rows = "".join(
        f"<tr><td>{order.order_sn}</td><td>{_when(order.create_time)}</td><td>"
        + ", ".join(
            f'<a href="/seller/items/{line.item_id}">{escape(state.items[line.item_id].name)}</a> x {line.quantity}'
            for line in order.lines
        )
        + f"</td><td>{_ORDER_STATUS.get(order.status, order.status)}</td><td>"
        + (
            f'<form method="post" action="/seller/orders/{order.order_sn}">'
            '<button class="p" name="action" value="ship">Kirim</button>'
            '<button name="action" value="cancel">Batalkan</button></form>'
            if order.status == "READY_TO_SHIP"
            else ""
        )
        + "</td></tr>"
        for order in reversed(state.orders.values())
    )
    return f"""<section><table><thead><tr><th>Nomor</th><th>Waktu</th><th>Isi</th><th>Status</th><th></th></tr></thead>
<tbody>{rows or '<tr><td colspan="5">Belum ada pesanan.</td></tr>'}</tbody></table></section>"""


def calls(shop: Shop) -> str:
    counts = "".join(
        f'<tr><td>{escape(path)}</td><td class="n">{count}</td></tr>' for path, count in shop.calls.most_common()
    )
    rows = "".join(
        f"<tr><td>{_when(call.at, seconds=True)}</td><td>{call.method}</td><td>{escape(call.path)}</td>"
        f'<td class="n">{call.status}</td><td>{escape(call.error) or "-"}</td>'
        f'<td class="n">{call.milliseconds:.1f}</td></tr>'
        for call in list(reversed(shop.log))[:200]
    )
    return f"""<section><table><thead><tr><th>Alamat</th><th class="n">Jumlah</th></tr></thead>
<tbody>{counts}</tbody></table>
</section><section><table><thead><tr><th>Waktu</th><th>Cara</th><th>Alamat</th><th class="n">HTTP</th><th>Kesalahan</th>
<th class="n">ms</th></tr></thead><tbody>{rows}</tbody></table></section>"""


def rupiah(value: int) -> str:
    return "Rp " + f"{value:,}".replace(",", ".")


def _model_row(item: Item, model: Model) -> str:
    options = ", ".join(tier.options[index] for tier, index in zip(item.tiers, model.tier_index, strict=False))
    hidden = f'<input type="hidden" name="model_id" value="{model.model_id}">'
    name = escape(options or "Tanpa varian")

    def field(action: str, value: str, button: str, css: str = "") -> str:
        return (
            f'<form method="post">{hidden}<input class="{css}" name="{action}" value="{value}" inputmode="numeric" '
            f'aria-label="{button} {name}"><button name="action" value="{action}">{button}</button></form>'
        )

    price_lock = "Buka harga" if model.price_locked else "Kunci harga"
    stock_lock = "Buka stok" if model.stock_locked else "Kunci stok"
    return f"""<tr><td>{name}<br><span class="muted">{escape(model.sku)}</span></td>
<td>{field("price", rupiah(model.price), "Ubah harga")}</td>
<td>{field("stock", str(model.stock), "Ubah stok", "s")}</td>
<td class="n">{model.reserved}</td><td><form method="post">{hidden}
<button name="action" value="price_lock">{price_lock}</button>
<button name="action" value="stock_lock">{stock_lock}</button></form></td>
<td><form method="post">{hidden}<input class="s" name="quantity" value="1" inputmode="numeric"
aria-label="Jumlah {name}">
<button name="action" value="order">Pesan</button></form></td></tr>"""


def _price_range(item: Item) -> str:
    prices = sorted({model.price for model in item.models})
    return rupiah(prices[0]) if len(prices) == 1 else f"{rupiah(prices[0])} - {rupiah(prices[-1])}"


def _when(at: float, *, seconds: bool = False) -> str:
    moment = datetime.fromtimestamp(at, UTC).astimezone(_WIB)
    return moment.strftime("%d-%m-%Y %H:%M:%S" if seconds else "%d-%m-%Y %H:%M") + " WIB"
