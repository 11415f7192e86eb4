"""What the values of a product may be, and the refusals that name the one which may not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from domain.errors import Refusal
from domain.product.events import Override
from domain.values import MAX_PRICE, Dimensions, Image, Variant

MAX_NAME: Final = 500
MAX_SKU: Final = 100
MAX_TEXT: Final = 20_000
MAX_SHELF: Final = 200
MAX_REASON: Final = 500
MAX_TAGS: Final = 50
MAX_TAG: Final = 50
MAX_IMAGES: Final = 20
MAX_URL: Final = 2_000
MAX_VARIANTS: Final = 100
MAX_OPTIONS: Final = 2
MAX_OPTION: Final = 100

_SCIENTIFIC: Final = re.compile(r"\d+([.,]\d+)?E[+-]\d+", re.IGNORECASE)


class PriceOutOfRange(Refusal):
    code = "price_out_of_range"
    remedy = f"Give a whole number of rupiah from 1 to {MAX_PRICE}."


class InvalidCurrency(Refusal):
    code = "currency_unsupported"
    remedy = "Prices are kept in IDR."


class InvalidName(Refusal):
    code = "name_invalid"
    remedy = f"Give a name of 1 to {MAX_NAME} characters in one line."


class InvalidSku(Refusal):
    code = "sku_invalid"
    remedy = (
        f"Give 1 to {MAX_SKU} printable characters without spaces around them. "
        "If a spreadsheet made 1E+05 of it, format the column as text and enter the SKU again."
    )


class InvalidText(Refusal):
    code = "text_invalid"
    remedy = "Shorten the text that is named, and remove control characters."


class DimensionOutOfRange(Refusal):
    code = "dimension_out_of_range"
    remedy = "Weight in kg has up to 5 digits and 3 decimals, lengths in cm up to 6 digits and 2 decimals."


class InvalidTags(Refusal):
    code = "tags_invalid"
    remedy = f"Give at most {MAX_TAGS} different tags of 1 to {MAX_TAG} characters."


class InvalidImages(Refusal):
    code = "images_invalid"
    remedy = f"Give at most {MAX_IMAGES} different http or https addresses, at most one of them the primary image."


class InvalidVariants(Refusal):
    code = "variants_invalid"
    remedy = (
        f"Give at most {MAX_VARIANTS} variants that all differ in the same 1 or {MAX_OPTIONS} options, "
        "each combination once."
    )


class RepeatedSku(Refusal):
    code = "sku_repeated"
    remedy = "Give every variant a SKU of its own, different from the product's; case does not tell SKUs apart."


def check_price(field: str, price: int | None) -> None:
    # bool is an int, and a float that came past the edge would lose rupiah silently.
    if price is not None and (type(price) is not int or not 1 <= price <= MAX_PRICE):
        raise PriceOutOfRange(f"{field} {price!r} is not a whole number from 1 to {MAX_PRICE}", field=field)


def check_currency(currency: str) -> None:
    if currency != "IDR":
        raise InvalidCurrency(f"currency {currency!r} is not supported", field="currency", currency=currency)


def check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or _has_controls(name, allowed=""):
        raise InvalidName(f"a name of {len(name)} characters, or with control characters, cannot be used", field="name")


def check_sku(sku: str) -> None:
    if not 1 <= len(sku) <= MAX_SKU or sku != sku.strip() or not sku.isprintable():
        raise InvalidSku(f"{sku!r} cannot be a SKU", field="sku", sku=sku)
    if _SCIENTIFIC.fullmatch(sku):
        raise InvalidSku(f"{sku!r} looks like a number that a spreadsheet shortened", field="sku", sku=sku)


def check_text(field: str, text: str, limit: int = MAX_TEXT) -> None:
    if len(text) > limit:
        raise InvalidText(f"{field} has {len(text)} characters, {limit} are allowed", field=field, limit=limit)
    if _has_controls(text, allowed="\n\r\t"):
        raise InvalidText(f"{field} contains control characters", field=field)


def check_dimensions(dimensions: Dimensions) -> None:
    _check_measure("weight_kg", dimensions.weight_kg, digits=5, decimals=3)
    for field in ("length_cm", "width_cm", "height_cm"):
        _check_measure(field, getattr(dimensions, field), digits=6, decimals=2)


def check_tags(tags: Sequence[str]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidTags(f"{len(tags)} tags, {MAX_TAGS} are allowed", field="tags")
    for tag in tags:
        if not tag.strip() or len(tag) > MAX_TAG or _has_controls(tag, allowed=""):
            raise InvalidTags(f"{tag!r} cannot be a tag", field="tags", tag=tag)
    if len(set(tags)) < len(tags):
        raise InvalidTags("a tag is given twice", field="tags")


def check_images(images: Sequence[Image]) -> None:
    if len(images) > MAX_IMAGES:
        raise InvalidImages(f"{len(images)} images, {MAX_IMAGES} are allowed", field="images")
    for image in images:
        if not _is_web_address(image.url):
            raise InvalidImages(f"{image.url!r} is not an http or https address", field="images", url=image.url)
        check_text("images.alt", image.alt, MAX_NAME)
    if len({image.url for image in images}) < len(images):
        raise InvalidImages("an image is given twice", field="images")
    if sum(image.primary for image in images) > 1:
        raise InvalidImages("more than one image is the primary one", field="images")


def check_variants(product_sku: str, variants: Sequence[Variant]) -> None:
    """Each variant by itself, then all of them together."""
    if len(variants) > MAX_VARIANTS:
        raise InvalidVariants(f"{len(variants)} variants, {MAX_VARIANTS} are allowed", field="variants")
    for variant in variants:
        check_sku(variant.sku)
        check_price("base_price", variant.base_price)
        _check_options(variant)
    skus = {product_sku.casefold()}
    for variant in variants:
        if variant.sku.casefold() in skus:
            raise RepeatedSku(f"SKU {variant.sku!r} is given twice", field="variants", sku=variant.sku)
        skus.add(variant.sku.casefold())
    if len({tuple(option.name for option in variant.options) for variant in variants}) > 1:
        raise InvalidVariants("the variants do not all have the same options", field="variants")
    if len({tuple(option.value.casefold() for option in v.options) for v in variants}) < len(variants):
        raise InvalidVariants("two variants have the same options", field="variants")


def check_override(override: Override) -> None:
    if override.name is not None:
        check_name(override.name)
    if override.description is not None:
        check_text("description", override.description)
    for sku, price in override.prices:
        check_price(f"price of {sku}", price)
    if len({sku.casefold() for sku, _ in override.prices}) < len(override.prices):
        raise RepeatedSku("a SKU has two prices", field="prices")


def _check_options(variant: Variant) -> None:
    if len(variant.options) > MAX_OPTIONS:
        raise InvalidVariants(f"{variant.sku}: more than {MAX_OPTIONS} options", field="variants", sku=variant.sku)
    for option in variant.options:
        for text in (option.name, option.value):
            if not text.strip() or len(text) > MAX_OPTION or _has_controls(text, allowed=""):
                raise InvalidVariants(f"{variant.sku}: {text!r} cannot be an option", field="variants", sku=variant.sku)
    if len({option.name.casefold() for option in variant.options}) < len(variant.options):
        raise InvalidVariants(f"{variant.sku}: an option is given twice", field="variants", sku=variant.sku)


def _check_measure(field: str, measure: Decimal | None, *, digits: int, decimals: int) -> None:
    if measure is None:
        return
    if not measure.is_finite() or measure < 0 or measure >= Decimal(10) ** digits:
        raise DimensionOutOfRange(f"{field} {measure} is out of range", field=field)
    if measure != round(measure, decimals):
        raise DimensionOutOfRange(f"{field} {measure} has more than {decimals} decimals", field=field)


def _is_web_address(url: str) -> bool:
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _has_controls(text: str, *, allowed: str) -> bool:
    """Control characters and lone surrogates: no shop shows them, and not every store keeps them."""
    return any(unicodedata.category(c) in {"Cc", "Cs"} and c not in allowed for c in text)
