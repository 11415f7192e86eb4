from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.catalogue.words import beginnings, likely_slips, neighbours, slips

WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12)


@given(WORDS, st.data())
def test_one_slip_and_its_undoing_are_neighbours(word: str, data: st.DataObject) -> None:
    near = data.draw(st.sampled_from(sorted(neighbours(word))))
    assert near != word
    assert abs(len(near) - len(word)) <= 1
    assert len(near) < 2 or word in neighbours(near)


@pytest.mark.parametrize("near", ["smabal", "sambel", "smbal", "sambbal", "ambal", "sambalx"])
def test_every_kind_of_slip_is_a_neighbour(near: str) -> None:
    assert near in neighbours("sambal")


def test_a_word_two_slips_away_is_none() -> None:
    assert not {"sambl", "mabla", "sambal"} & neighbours("sambal") - {"sambl"}


@pytest.mark.parametrize(
    ("search", "query"),
    [
        ("kopi gayo", "'kopi':* & 'gayo':*"),
        ("btk-004", "'btk':* & '004':*"),
        ("'x' | !y:*", "'x':* & 'y':*"),
        ("", ""),
        ("--", ""),
        ("5 watt tiga", "('5w' | '5' <-> 'w' | '5watt' | '5' <-> 'watt') & 'tiga':*"),
        ("5 w", "('5':* & 'w':* | '5w' | '5' <-> 'w' | '5watt' | '5' <-> 'watt')"),
        ("9v", "('9v':* | '9v' | '9' <-> 'v' | '9volt' | '9' <-> 'volt')"),
    ],
)
def test_words_become_beginnings_and_measures_all_their_spellings(search: str, query: str) -> None:
    assert beginnings(search) == query


def test_a_slip_is_looked_for_in_letters_alone() -> None:
    assert slips("btk004 12 é") == beginnings("btk004 12 é")
    assert "'kopi'" in slips("kpoi 250 gr")
    assert "'350'" not in slips("kpoi 250 gr")


def test_the_first_letter_of_a_likely_slip_is_as_typed() -> None:
    assert "'kemeja'" in likely_slips("kmeja")
    assert "'meja'" not in likely_slips("kmeja")
    assert "'meja'" in slips("kmeja")


def test_however_much_is_typed_only_some_words_are_corrected() -> None:
    assert slips("abcd efghi jklmno pqrstuv").count(" & ") == 3
    assert "'xx':*" in slips("xx abcd efghi jklmno pqrstuv")
    assert "'xxy'" not in slips("xx abcd efghi jklmno pqrstuv")
