"""What a single cell may hold, and the refusals for what it may not."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from domain.catalogue_file.numbers import read_measure, read_whole
from domain.errors import Refusal
from domain.product.limits import MAX_SHELF, check_dimensions, check_name, check_price, check_sku, check_text
from domain.values import Dimensions, ProductStatus

MAX_STOCK: Final = 99_999_999
STATUSES: Final = {
    "active": ProductStatus.ACTIVE,
    "aktif": ProductStatus.ACTIVE,
    "1": ProductStatus.ACTIVE,
    "inactive": ProductStatus.INACTIVE,
    "nonaktif": ProductStatus.INACTIVE,
    "draft": ProductStatus.INACTIVE,
    "0": ProductStatus.INACTIVE,
    "-1": ProductStatus.INACTIVE,
    "archived": ProductStatus.ARCHIVED,
    "arsip": ProductStatus.ARCHIVED,
}


class Formula(Refusal):
    code = "cell_is_formula"
    remedy = "Put the value itself into the cell, or a letter before the sign."


class NotUtf8(Refusal):
    code = "not_utf8"
    remedy = "Save the file as CSV UTF-8."


class NegativeNumber(Refusal):
    code = "number_negative"
    remedy = "Give a number that is not below zero; leave the cell blank to keep the value."


class Workbook(Refusal):
    code = "file_is_workbook"
    remedy = "Open it in the spreadsheet and save it as CSV UTF-8."


class TooManyCells(Refusal):
    code = "cells_do_not_fit"
    remedy = "Put cells that contain the separator into double quotes, and give each row one cell for each heading."


class MissingValue(Refusal):
    code = "value_missing"
    remedy = "Fill in the cell that is named."


class UnknownStatus(Refusal):
    code = "status_unknown"
    remedy = "Use active, inactive or archived."


class UnsupportedRow(Refusal):
    code = "row_unsupported"
    remedy = "Enter such a product by hand: it has no price or stock of its own in this file."


class IncompleteOption(Refusal):
    code = "option_incomplete"
    remedy = "Give an option both its name and its value, and its row the SKU of the product in product_sku."


class RepeatedInFile(Refusal):
    code = "sku_repeated_in_file"
    remedy = "Keep one of the two rows."


class StockOutOfRange(Refusal):
    code = "stock_out_of_range"
    remedy = f"Give a whole number of pieces from 0 to {MAX_STOCK}."


def read_sku(text: str) -> str:
    check_sku(text)
    return text


def read_name(text: str) -> str:
    check_name(text)
    return text


def read_text(field: str, text: str) -> str:
    check_text(field, text)
    return text


def read_shelf(text: str) -> str:
    check_text("category", text, MAX_SHELF)
    return text


def read_price(text: str) -> int:
    price = read_whole(text)
    check_price("price", price)
    return price


def read_stock(text: str) -> int:
    pieces = read_whole(text)
    if pieces > MAX_STOCK:
        raise StockOutOfRange(f"{pieces} pieces are too many")
    return pieces


def read_weight(kilograms: Decimal) -> Decimal:
    check_dimensions(Dimensions(weight_kg=kilograms))
    return kilograms


def read_length(text: str) -> Decimal:
    centimetres = read_measure(text)
    check_dimensions(Dimensions(length_cm=centimetres))
    return centimetres


def read_status(text: str) -> ProductStatus:
    status = STATUSES.get(text.casefold())
    if status is None:
        raise UnknownStatus(f"{text!r} is not a status")
    return status
