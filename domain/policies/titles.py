"""How alike two titles are, and whether a shop's title keeps the wanted distance from the master's.

Similarity is the Dice coefficient of words with multiplicity, 2c / (n + m), compared in integers. The band is 70 to
80 %, both ends included (R59, C33).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

_LETTERS_MARKS_NUMBERS: Final = ("L", "M", "N")


class TitleVerdict(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # the same but for case, punctuation and spaces
    TOO_SIMILAR = "too_similar"
    TOO_DIFFERENT = "too_different"
    BAND_UNREACHABLE = "band_unreachable"  # no title can be 70 to 80 % like one single word: a warning, not a refusal


class Similarity(Struct, frozen=True, kw_only=True):
    """Words of the master (n), of the candidate (m), and those they share (c)."""

    master_words: int
    candidate_words: int
    shared_words: int

    @property
    def ratio(self) -> Decimal:
        """2c / (n + m) to four decimals, for showing; verdicts do not depend on it. Two empty titles are alike."""
        words = self.master_words + self.candidate_words
        return (Decimal(2 * self.shared_words) / words if words else Decimal(1)).quantize(Decimal("0.0001"))

    @property
    def is_in_band(self) -> bool:
        words = self.master_words + self.candidate_words
        return words > 0 and 7 * words <= 20 * self.shared_words <= 8 * words


class TitleCheck(Struct, frozen=True, kw_only=True):
    verdict: TitleVerdict
    similarity: Similarity


def normalise(title: str) -> str:
    """NFKC, case folded, punctuation and symbols made spaces, spaces collapsed."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold())
    spaced = "".join(c if unicodedata.category(c).startswith(_LETTERS_MARKS_NUMBERS) else " " for c in folded)
    return " ".join(spaced.split())


def is_duplicate(one: str, other: str) -> bool:
    """The same title after normalising: between platforms, or between two products on one platform."""
    return normalise(one) == normalise(other)


def similarity(master: str, candidate: str) -> Similarity:
    ours, theirs = normalise(master).split(), normalise(candidate).split()
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return Similarity(master_words=len(ours), candidate_words=len(theirs), shared_words=shared)


def check_title(master: str, candidate: str) -> TitleCheck:
    """Whether a candidate keeps the distance from the master title that search engines and platforms want."""
    measured = similarity(master, candidate)
    return TitleCheck(verdict=_verdict(measured, duplicate=is_duplicate(master, candidate)), similarity=measured)


def _verdict(measured: Similarity, *, duplicate: bool) -> TitleVerdict:
    if measured.master_words < 2:
        return TitleVerdict.BAND_UNREACHABLE
    if duplicate:
        return TitleVerdict.DUPLICATE
    if measured.is_in_band:
        return TitleVerdict.ACCEPTED
    words = measured.master_words + measured.candidate_words
    return TitleVerdict.TOO_SIMILAR if 20 * measured.shared_words > 8 * words else TitleVerdict.TOO_DIFFERENT
