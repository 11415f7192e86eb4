"""Goods for a simulated shop that would otherwise be empty."""

from __future__ import annotations

from itertools import product
from typing import Final

from services.simulators.shopee.shop import NO_MODEL, Item, Model, Shop, Tier

_GOODS: Final = (
    ("Kemeja Batik Pria Lengan Panjang Motif Parang", 100017, 189_000, ("Cokelat", "Hitam"), ("M", "L", "XL")),
    ("Kopi Arabika Gayo 250g Biji Sangrai", 100031, 85_000, (), ()),
    ("Sambal Bawang Pedas Botol 150gr", 100032, 17_990, (), ()),
    ("Kaos Polos Katun Combed 30s", 100018, 55_000, ("Putih", "Navy", "Maroon"), ("S", "M", "L")),
    ("Kerudung Segi Empat Voal Premium", 100021, 49_900, ("Dusty Pink", "Sage", "Hitam"), ()),
    ("Wajan Anti Lengket 28cm Tutup Kaca", 100051, 145_000, (), ()),
    ("Frame Drone Balap 5 Inci Serat Karbon", 100041, 150_000, ("Merah", "Biru"), ()),
)


def seed(shop: Shop, count: int) -> list[Item]:
    """Add `count` items, the same ones for the same shop and count. SKUs are SIM-00001 and so on."""
    return [_add(shop, len(shop.state.items) + 1) for _ in range(count)]


def _add(shop: Shop, number: int) -> Item:
    name, category_id, price, first, second = _GOODS[(number - 1) % len(_GOODS)]
    sku = f"SIM-{number:05d}"
    now = int(shop.now())
    labelled = (("Warna", first), ("Ukuran", second))
    tiers = [Tier(name=label, options=list(values)) for label, values in labelled if values]
    item = Item(
        item_id=shop.next_id(),
        name=f"{name} {number}",
        description=f"{name}. Barang ready stock, dikirim dari Jakarta pada hari yang sama.",
        sku=sku,
        category_id=category_id,
        weight="0.300",
        create_time=now,
        update_time=now,
        images=[f"sg-seed-{number}"],
        channels=[8003, 8005],
        tiers=tiers,
        models=[],
    )
    step = price + (number % 10) * 1_000
    if tiers:
        places = product(*(range(len(tier.options)) for tier in tiers))
        item.models = [
            Model(
                model_id=shop.next_id(),
                tier_index=list(place),
                sku="-".join((sku, *(tiers[level].options[index][:3].upper() for level, index in enumerate(place)))),
                price=step,
                stock=20 + number % 30,
            )
            for place in places
        ]
    else:
        item.models = [Model(model_id=NO_MODEL, sku=sku, price=step, stock=20 + number % 30)]
    shop.state.items[item.item_id] = item
    shop.revision += 1
    return item
