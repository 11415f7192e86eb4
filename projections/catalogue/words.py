"""What somebody types into a search, as text search queries: beginnings of words, measures, slips of the finger.

A slip is one letter left out, added, doubled or taken for another, or two neighbours in each other's place. All words
that are one slip away from the one typed are looked up in the index itself, so no dictionary has to be kept: it is the
words of the catalogue that decide what could be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from string import ascii_lowercase
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_MEASURE: Final = re.compile(r"([0-9]+)([a-z]+)")
_LETTERS: Final = re.compile(r"[a-z]{2,20}")
_MOST_CORRECTED: Final = 4
"""Words of a search that may have a slip, the longest first: each is some five hundred words to look for."""
_SHORTEST: Final = 3
"""Letters of a word that may be meant: one of two is a slip away from too many."""

_SPELLINGS: Final = (
    ("g", "gr", "grm", "gram"),
    ("kg", "kilo", "kilogram"),
    ("ml", "mililiter"),
    ("l", "lt", "ltr", "liter"),
    ("mm", "milimeter"),
    ("cm", "senti", "sentimeter"),
    ("m", "mtr", "meter"),
    ("inch", "inci", "inchi"),
    ("w", "watt"),
    ("v", "volt"),
    ("pcs", "pc", "buah"),
)
_UNITS: Final = {spelling: same for same in _SPELLINGS for spelling in same}


def beginnings(search: str) -> str:
    """Every word typed, or one that begins with it; a measure in any spelling, together or apart."""
    return _all_of(search, _beginning)


def slips(search: str) -> str:
    """Every word typed, its beginnings, or a word one slip away from it. What contains figures is taken as typed."""
    return _corrected(search, neighbours)


def likely_slips(search: str) -> str:
    """Those of them that leave the first letter alone, which a finger rarely misses."""
    return _corrected(search, lambda word: {near for near in neighbours(word) if near[0] == word[0]})


def _corrected(search: str, near: Callable[[str], AbstractSet[str]]) -> str:
    correctable = {word for word in _WORD.findall(search) if _LETTERS.fullmatch(word)}
    corrected = sorted(correctable, key=lambda word: (-len(word), word))[:_MOST_CORRECTED]

    def meant(word: str) -> str:
        others = sorted(other for other in near(word) if len(other) >= _SHORTEST)
        return _any_of([_beginning(word), *(f"'{other}'" for other in others)])

    return _all_of(search, lambda word: meant(word) if word in corrected else _beginning(word))


def neighbours(word: str) -> frozenset[str]:
    """What is one slip away from a word of the letters a to z."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    left_out = (before + after[1:] for before, after in cuts if after)
    swapped = (before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1)
    replaced = (before + letter + after[1:] for before, after in cuts if after for letter in ascii_lowercase)
    added = (before + letter + after for before, after in cuts for letter in ascii_lowercase)
    return frozenset((*left_out, *swapped, *replaced, *added)) - {word}


def _beginning(word: str) -> str:
    return f"'{word}':*"


def _all_of(search: str, one: Callable[[str], str]) -> str:
    words = _WORD.findall(search)
    parts: list[str] = []
    while words:
        word, *words = words
        together = _MEASURE.fullmatch(word)
        if together is not None and together[2] in _UNITS:
            parts.append(_any_of([_beginning(word), *_measures(together[1], together[2])]))
        elif word.isdecimal() and words and words[0] in _UNITS:
            unit, *words = words
            # The last word may be the beginning of a longer one that is still being typed.
            typed = [] if words else [f"{_beginning(word)} & {_beginning(unit)}"]
            parts.append(_any_of([*typed, *_measures(word, unit)]))
        else:
            parts.append(one(word))
    return " & ".join(dict.fromkeys(parts))


def _measures(figure: str, unit: str) -> Iterator[str]:
    for spelling in _UNITS[unit]:
        yield f"'{figure}{spelling}'"
        yield f"'{figure}' <-> '{spelling}'"


def _any_of(queries: Sequence[str]) -> str:
    return f"({' | '.join(queries)})"
