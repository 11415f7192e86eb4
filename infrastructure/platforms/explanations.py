"""What keeps a listing from being as we want it, in a seller's words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Explanation(Struct, frozen=True):
    meaning_id: str
    remedy_id: str
    meaning_en: str
    remedy_en: str


def explain(hint: str) -> Explanation:
    """The explanation for a `PlatformError.hint`; a hint without one gets that of "unknown"."""
    return EXPLANATIONS.get(hint, EXPLANATIONS["unknown"])


def _same(meaning_id: str, meaning_en: str, remedy: tuple[str, str]) -> Explanation:
    return Explanation(meaning_id, remedy[0], meaning_en, remedy[1])


_WAITS: Final = ("Tidak perlu tindakan; dikirim lagi otomatis.", "Nothing to do; it is sent again by itself.")
_EDIT: Final = ("Perbaiki produk, lalu sinkronkan lagi.", "Correct the product; it is then sent again.")
_AUTHORISE: Final = ("Hubungkan ulang toko.", "Connect the shop again.")
_OURS: Final = ("Hubungi tim teknis.", "Tell the technical team.")
_LOOK: Final = ("Periksa produk di toko, lalu coba lagi.", "Look at the listing in the shop, then try again.")

EXPLANATIONS: Final[Mapping[str, Explanation]] = {
    "unknown": _same("Penolakan yang belum dikenal.", "A refusal that is not known yet.", _LOOK),
    "no_proof": _same("Toko tidak memastikan nilai baru.", "The shop did not confirm the new value.", _LOOK),
    "rate_limited": _same("Terlalu banyak panggilan; antrean dijeda.", "Too many calls; the queue rests.", _WAITS),
    "quota_spent": _same("Kuota harian habis.", "The daily quota is used up.", _WAITS),
    "token_expired": _same("Izin akses kedaluwarsa.", "The access token has expired.", _WAITS),
    "authorisation_lost": _same("Izin toko sudah dicabut atau habis.", "The authorisation has ended.", _AUTHORISE),
    "permission_missing": _same(
        "Aplikasi tidak punya hak untuk panggilan ini.", "The app may not make this call.", _AUTHORISE
    ),
    "signature_refused": _same("Tanda tangan panggilan ditolak.", "The call's signature was refused.", _OURS),
    "clock_or_signature": _same(
        "Jam server atau tanda tangan salah.", "The server's clock or the signature is wrong.", _OURS
    ),
    "unreachable": _same("Toko tidak menjawab.", "The shop did not answer.", _WAITS),
    "platform_failing": _same("Gangguan di pihak toko.", "The platform is failing.", _WAITS),
    "listing_missing": Explanation(
        "Produk tidak ditemukan di toko.",
        "Tautkan ulang atau buat lagi.",
        "The listing is not in the shop.",
        "Link it again or create it.",
    ),
    "variant_missing": Explanation(
        "Varian tidak ditemukan di toko.",
        "Tautkan ulang variannya.",
        "The variant is not in the shop.",
        "Link the variant again.",
    ),
    "reread_listing": _same(
        "Toko menolak tanpa alasan jelas; produk mungkin sudah dihapus.",
        "Refused without a clear reason; the listing may have been deleted.",
        _LOOK,
    ),
    "duplicate": Explanation(
        "SKU atau data yang sama sudah ada.",
        "Pilih produk yang benar lalu tautkan.",
        "The same SKU or data is there already.",
        "Pick the right listing and link it.",
    ),
    "promotion_locks_price": _same(
        "Harga ditahan: produk sedang promosi.", "Price held: the product is in a promotion.", _WAITS
    ),
    "promotion_locks_stock": _same(
        "Stok ditahan: produk sedang promosi.", "Stock held: the product is in a promotion.", _WAITS
    ),
    "promotion_locks_listing": _same(
        "Produk sedang promosi dan tidak dapat diarsipkan.", "In a promotion, so it cannot be unlisted.", _WAITS
    ),
    "holiday_mode": Explanation(
        "Toko sedang libur.",
        "Akhiri mode libur di toko.",
        "The shop is in holiday mode.",
        "End holiday mode in the shop.",
    ),
    "seller_penalty": Explanation(
        "Toko terkena penalti.",
        "Lihat pemberitahuan penalti di toko.",
        "The seller is under a penalty.",
        "See the penalty notice in the shop.",
    ),
    "under_review": _same("Produk sedang ditinjau atau diblokir.", "Under review or banned.", _LOOK),
    "platform_stock": _same("Stok diatur oleh gudang toko.", "The stock is kept by the platform's warehouse.", _LOOK),
    "price_refused": _same("Harga di luar batas toko.", "The price is outside the shop's limits.", _EDIT),
    "price_spread": _same(
        "Harga varian tertinggi melebihi 7 kali harga terendah.",
        "The highest variant price is more than 7 times the lowest.",
        _EDIT,
    ),
    "stock_refused": _same("Stok di luar batas toko.", "The stock is outside the shop's limits.", _EDIT),
    "stock_below_reserved": _same(
        "Stok lebih kecil dari yang sudah dipesan pembeli.", "The stock is below what buyers have reserved.", _EDIT
    ),
    "stock_location": _same("Lokasi stok tidak cocok.", "The stock location does not fit.", _OURS),
    "variants_expected": Explanation(
        "Produk di toko punya varian.",
        "Tautkan ulang produk dengan variannya.",
        "The listing has variants.",
        "Link the listing again with its variants.",
    ),
    "variants_refused": _same("Varian tidak sesuai batas toko.", "The variants exceed the shop's limits.", _EDIT),
    "title_refused": _same("Judul tidak sesuai aturan toko.", "The title breaks the shop's rules.", _EDIT),
    "description_refused": _same("Deskripsi tidak sesuai aturan.", "The description breaks the rules.", _EDIT),
    "image_refused": _same("Gambar tidak dapat dipakai.", "A picture cannot be used.", _EDIT),
    "category_refused": _same(
        "Kategori, merek atau atribut belum benar.", "Category, brand or attributes are not right.", _EDIT
    ),
    "shipping_refused": Explanation(
        "Tidak ada jasa kirim yang cocok.",
        "Aktifkan jasa kirim di toko.",
        "No shipping channel fits.",
        "Enable a shipping channel in the shop.",
    ),
    "shop_full": Explanation(
        "Batas jumlah produk toko tercapai.",
        "Hapus produk lama di toko.",
        "The shop's limit of listings is reached.",
        "Delete old listings in the shop.",
    ),
    "request_refused": _same("Toko menolak isi permintaan.", "The shop refused the request's content.", _OURS),
    "price_unavailable": Explanation(
        "Harga tidak dapat dihitung dari aturan harga.",
        "Periksa harga dasar dan aturan harga toko ini.",
        "No price can be computed by the pricing rule.",
        "Check the base price and this shop's pricing rule.",
    ),
    "price_clamped": Explanation(
        "Harga hasil hitungan melebihi batas tertinggi aturan harga.",
        "Periksa aturan harga, atau lepaskan penahanan.",
        "The computed price is above the highest that the pricing rule allows.",
        "Check the pricing rule, or release the hold.",
    ),
    "price_guarded": Explanation(
        "Harga ditahan: perubahannya terlalu besar atau di bawah modal.",
        "Periksa harganya, lalu perbaiki atau lepaskan penahanan.",
        "The price is held: it moves too far or is below cost.",
        "Check the price, then correct it or release the hold.",
    ),
    "price_not_allowed": _same(
        "Harga tidak sesuai batas toko ini.", "The price does not fit this shop's limits.", _EDIT
    ),
    "category_unknown": Explanation(
        "Kategori produk belum dikenal untuk toko ini.",
        "Pilih kategori lain, atau tambahkan padanannya di koneksi toko.",
        "The product's category is not known for this shop.",
        "Choose another category, or add its counterpart to the shop's connection.",
    ),
    "not_ready": Explanation(
        "Data produk belum lengkap untuk dibuat di toko.",
        "Lengkapi bagian yang disebut di pesan.",
        "The product lacks something that the shop needs to list it.",
        "Complete what the message names.",
    ),
    "conflict": Explanation(
        "Nilai diubah di sini dan juga di toko.",
        "Pilih nilai yang dipakai.",
        "The value was changed here and in the shop.",
        "Decide which value holds.",
    ),
    "override_kept": Explanation(
        "Nilai di toko ini sengaja dibiarkan berbeda.",
        "Tidak perlu tindakan; ikuti data utama bila ingin menyamakan.",
        "This shop's own value is kept on purpose.",
        "Nothing to do; follow the master to make them equal.",
    ),
    "paused": Explanation(
        "Sinkronisasi produk ini dijeda.",
        "Lanjutkan sinkronisasi bila sudah siap.",
        "Synchronisation of this listing is paused.",
        "Resume it when you are ready.",
    ),
    "set_aside": Explanation(
        "Perubahan produk ini tertahan di sistem; yang tampil bisa belum terbaru.",
        "Hubungi tim teknis untuk melepaskannya.",
        "Changes of this product are stuck in the system; what is shown may be out of date.",
        "Tell the technical team, who can release them.",
    ),
    "unlinked": Explanation(
        "Produk tidak lagi tertaut dengan toko.",
        "Tautkan ulang bila masih dijual di toko.",
        "The listing is no longer linked to the shop.",
        "Link it again if it is still sold there.",
    ),
    "in_review": Explanation(
        "Perubahan sedang ditinjau oleh toko.",
        "Tunggu hasil peninjauan.",
        "The platform is reviewing the change.",
        "Wait for its answer.",
    ),
    "review_rejected": _same(
        "Perubahan ditolak dalam peninjauan.", "The platform's review rejected the change.", _EDIT
    ),
}

HINTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("timeout", "no_answer", "http_408"), "unreachable"),
    **dict.fromkeys(("own_pace", "http_429"), "rate_limited"),
    **dict.fromkeys(("image_unreachable", "image_unusable"), "image_refused"),
    "http_403": "permission_missing",
    "malformed_answer": "platform_failing",
    "not_a_shopee_id": "listing_missing",
    "not_a_shopee_category": "category_refused",
    "sku_on_several_listings": "duplicate",
    "failed_reason": "unknown",
}
"""Codes of ours, for what is the same on every platform, and the hints that explain them."""


def hint_of(code: str) -> str | None:
    """The hint behind a code of ours; None for a platform's own code."""
    if code in EXPLANATIONS:
        return code
    return "platform_failing" if code.startswith("http_5") else HINTS.get(code)
