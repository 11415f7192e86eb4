from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue_file.numbers import (
    AmbiguousNumber,
    FractionOfRupiah,
    NotAMeasure,
    NotANumber,
    ShortenedNumber,
    read_measure,
    read_whole,
)
from domain.errors import Refusal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("189000", 189_000),
        ("189.000", 189_000),
        ("1.250.000", 1_250_000),
        ("Rp 85.000", 85_000),
        ("Rp85.000", 85_000),
        ("Rp. 85.000,-", 85_000),
        ("85.000,00", 85_000),
        ("IDR 1.000", 1_000),
        ("rp\u00a085.000", 85_000),
        ("189 000", 189_000),
        ("189\u00a0000", 189_000),
        ("1,250,000", 1_250_000),
        ("189,000.00", 189_000),
        ("189000.00", 189_000),
        ("189000,0", 189_000),
        ("  17990 ", 17_990),
        ("0", 0),
        ("007", 7),
    ],
)
def test_numbers_are_read_as_indonesian_sellers_write_them(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("189,50", AmbiguousNumber),
        ("189,000", AmbiguousNumber),
        ("189.00", AmbiguousNumber),
        ("1.5", AmbiguousNumber),
        ("10.0", AmbiguousNumber),
        ("1.2345", AmbiguousNumber),
        ("12.34.567", AmbiguousNumber),
        ("1.000,000", AmbiguousNumber),
        ("189000.50", FractionOfRupiah),
        ("189.000,50", FractionOfRupiah),
        ("1E+05", ShortenedNumber),
        ("1,89E+05", ShortenedNumber),
        ("2e5", ShortenedNumber),
        ("-5", NotANumber),
        ("", NotANumber),
        ("gratis", NotANumber),
        ("$100", NotANumber),
        ("NaN", NotANumber),
        ("Infinity", NotANumber),
        ("\u0661\u0662\u0663", NotANumber),
        ("1_000", NotANumber),
        ("9" * 5_000, NotANumber),
        ("Rp", NotANumber),
        ("10 %", NotANumber),
        ("85rp000", NotANumber),
    ],
)
def test_what_has_two_meanings_or_none_is_refused(text: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as refused:
        read_whole(text)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("text", "measure"), [("1.2", "1.2"), ("1,2", "1.2"), ("0.320", "0.320"), ("12", "12"), (" 0,05 ", "0.05")]
)
def test_measures_take_dot_and_comma_as_the_decimal_sign(text: str, measure: str) -> None:
    assert read_measure(text) == Decimal(measure)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("1.2.3", NotAMeasure),
        ("1E+1", ShortenedNumber),
        ("12 cm", NotAMeasure),
        ("NaN", NotAMeasure),
        ("", NotAMeasure),
    ],
)
def test_a_measure_that_is_none_is_refused(text: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        read_measure(text)


@given(st.integers(0, 10**10))
def test_every_way_of_writing_a_number_is_read_as_that_number(number: int) -> None:
    dotted = f"{number:,}".replace(",", ".")
    assert read_whole(str(number)) == number
    assert read_whole(dotted) == number
    assert read_whole(f"Rp {dotted},-") == number
    assert read_whole(f"Rp{dotted},00" if number >= 1_000 else dotted) == number


@given(st.text(max_size=60))
def test_any_text_is_a_whole_number_or_a_refusal(text: str) -> None:
    with suppress(Refusal):
        assert read_whole(text) >= 0
