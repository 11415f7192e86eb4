"""Numbers as Indonesian sellers and their spreadsheets write them.

A dot groups thousands and a comma begins decimals, but a file may come out of a program that does the opposite. What
has one meaning in both is read; what has two is refused, for a price that is a thousand times wrong sells at once.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from domain.errors import Refusal

_MAX_LENGTH: Final = 40

_CURRENCY: Final = re.compile(r"^(?:rp|idr)\.?\s*", re.IGNORECASE)
_DASH: Final = re.compile(r"[.,]\s?-$")
_SCIENTIFIC: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+", re.IGNORECASE)
_FIGURES: Final = re.compile(r"[0-9][0-9., \u00a0\u202f]*")
_WHOLE: Final = (
    re.compile(r"(?P<whole>[0-9]+)"),
    re.compile(r"(?P<whole>[0-9]{1,3}(?:\.[0-9]{3})+)(?:,(?P<rest>[0-9]{1,2}))?"),
    re.compile(r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+)\.(?P<rest>[0-9]{1,2})"),
    re.compile(r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3}){2,})"),
    re.compile(r"(?P<whole>[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+)"),
    re.compile(r"(?P<whole>[0-9]{4,})[.,](?P<rest>[0-9]{1,2})"),
)
_MEASURE: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")


class AmbiguousNumber(Refusal):
    code = "number_ambiguous"
    remedy = "Write the number without separators, such as 189000."


class NotANumber(Refusal):
    code = "number_unreadable"
    remedy = "Write digits alone, such as 189000; leave the cell blank to keep the value."


class NotAMeasure(Refusal):
    code = "measure_unreadable"
    remedy = "Write digits with at most one decimal sign, such as 0.25; leave the cell blank to keep the value."


class ShortenedNumber(Refusal):
    code = "number_shortened"
    remedy = "A spreadsheet has shortened the number: format the column as text and enter it again."


class FractionOfRupiah(Refusal):
    code = "number_fractional"
    remedy = "Give a whole number."


def read_whole(text: str) -> int:
    """A whole number of rupiah, pieces or grams: "189000", "189.000", "Rp 85.000", "85.000,-", "1,250,000".

    Raises AmbiguousNumber for what could be two numbers ("189,50", "189,000", "189.00"), ShortenedNumber for "1E+05",
    FractionOfRupiah and NotANumber.
    """
    if len(text) > _MAX_LENGTH:
        raise _not_a_number(text)
    figures = _DASH.sub("", _CURRENCY.sub("", text.strip()))
    for pattern in _WHOLE:
        found = pattern.fullmatch(figures)
        if found is not None:
            if (found.groupdict().get("rest") or "0").strip("0"):
                raise FractionOfRupiah(f"{text!r} has a fraction")
            return int(re.sub(r"[^0-9]", "", found["whole"]))
    raise _refusal(text, figures)


def read_measure(text: str) -> Decimal:
    """A weight in kilograms or a length in centimetres; dot and comma both begin decimals, nothing groups thousands.

    Raises ShortenedNumber and NotAMeasure.
    """
    figures = text.strip()
    if len(figures) > _MAX_LENGTH or _MEASURE.fullmatch(figures) is None:
        if _SCIENTIFIC.fullmatch(figures):
            raise ShortenedNumber(f"{text!r} is shortened")
        raise NotAMeasure(f"{text[:_MAX_LENGTH]!r} is not a measure")
    return Decimal(figures.replace(",", "."))


def _refusal(text: str, figures: str) -> Refusal:
    if _SCIENTIFIC.fullmatch(figures):
        return ShortenedNumber(f"{text!r} is shortened")
    if _FIGURES.fullmatch(figures):
        return AmbiguousNumber(f"{text!r} can be read as two different numbers")
    return _not_a_number(text)


def _not_a_number(text: str) -> NotANumber:
    return NotANumber(f"{text[:_MAX_LENGTH]!r} is not a number")
